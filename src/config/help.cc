#include "src/config/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "src/base/parse_number.h"
#include "src/config/parameter.h"

namespace hearth::config {
namespace {

constexpr std::size_t kHelpWidth = 92;

// Letters to insert, remove, replace or swap with their neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0U);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t differs = ascii_lower(a[i - 1]) == ascii_lower(b[j - 1]) ? 0 : 1;
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + differs});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

bool is_listed(const Parameter& parameter) { return !has(parameter.flags, Flag::kHidden); }

template <typename F>
void for_each_listed(F&& fn) {
  for (const Section& section : sections()) {
    for (const Parameter& parameter : section.parameters) {
      if (is_listed(parameter)) fn(parameter);
    }
  }
}

// "Memory, expiry and eviction" -> "memory": a topic is the first word of its section.
std::string topic_of(const Section& section) {
  return lower_case(section.title.substr(0, section.title.find_first_of(" ,(")));
}

std::string default_of(const Parameter& parameter) {
  if (parameter.type.kind == Kind::kLines) return {};
  return parameter.default_text.empty() ? "\"\"" : std::string(parameter.default_text);
}

std::string meaning_of(const Parameter& parameter) {
  std::string text(has(parameter.flags, Flag::kNoEffect) ? "Accepted, no effect. " : "");
  text += parameter.doc;
  for (const Choice& c : parameter.type.choices)
    text += fmt::format("{}{}", &c == parameter.type.choices.data() ? " One of: " : ", ", c.word);
  if (!parameter.type.choices.empty()) text += '.';
  if (has(parameter.flags, Flag::kImmutable)) text += " [start only]";
  if (!parameter.alias.empty()) text += fmt::format(" [also: {}]", parameter.alias);
  return text;
}

void append_indented(std::string& out, std::string_view text) {
  while (!text.empty()) {
    std::size_t cut = text.size() <= kHelpWidth ? text.size() : text.rfind(' ', kHelpWidth);
    if (cut == std::string_view::npos) cut = text.size();
    out += fmt::format("      {}\n", text.substr(0, cut));
    text = cut < text.size() ? text.substr(cut + 1) : std::string_view();
  }
}

void append_parameter(std::string& out, const Parameter& parameter) {
  out += fmt::format("  --{} {}\n", parameter.name, default_of(parameter));
  append_indented(out, meaning_of(parameter));
}

std::string usage() {
  std::string out =
      "Usage: hearth-server [/path/to/hearth.conf] [options] [-]\n"
      "       hearth-server - (read config from stdin)\n"
      "       hearth-server -v | --version | -h | --help [topic | parameter]\n\n"
      "Every directive of the configuration file is an option:\n"
      "       hearth-server /etc/hearth/hearth.conf --port 7777 --loglevel verbose\n\n"
      "Topics of --help:\n";
  for (const Section& section : sections())
    out +=
        fmt::format("  {:<14}{}, {} parameters\n", topic_of(section), section.title,
                    std::count_if(section.parameters.begin(), section.parameters.end(), is_listed));
  return out + "  all           everything\n";
}

std::string escaped_for_man(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-' || c == '\\') out += '\\';
    out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

}  // namespace

std::optional<std::string_view> nearest_parameter(std::string_view word) {
  constexpr std::size_t kWordMost = 64;
  if (word.empty() || word.size() > kWordMost) return std::nullopt;
  std::optional<std::string_view> nearest;
  // A third of the letters may be wrong, but not more than three.
  std::size_t least = std::min<std::size_t>(3, word.size() / 3) + 1;
  for_each_listed([&](const Parameter& parameter) {
    for (const std::string_view name : {parameter.name, parameter.alias}) {
      if (name.empty()) continue;
      const std::size_t distance = edit_distance(word, name);
      if (distance >= least) continue;
      least = distance;
      nearest = name;
    }
  });
  return nearest;
}

Help help(std::string_view topic) {
  if (topic.empty()) return {usage(), true};
  while (topic.starts_with('-')) topic.remove_prefix(1);
  std::string out;
  for (const Section& section : sections()) {
    if (!equals_ignore_case(topic, "all") && !equals_ignore_case(topic, topic_of(section)))
      continue;
    out += fmt::format("{}{}\n\n", out.empty() ? "" : "\n", section.title);
    for (const Parameter& parameter : section.parameters)
      if (is_listed(parameter)) append_parameter(out, parameter);
  }
  if (!out.empty()) return {std::move(out), true};
  for_each_listed([&](const Parameter& parameter) {
    if (equals_ignore_case(topic, parameter.name) || equals_ignore_case(topic, parameter.alias))
      append_parameter(out, parameter);
  });
  if (!out.empty()) return {std::move(out), true};
  out = fmt::format("There is no topic and no parameter '{}'.", topic);
  if (const auto near = nearest_parameter(topic)) out += fmt::format(" Did you mean '{}'?", *near);
  return {out + "\n\n" + usage(), false};
}

std::string manual_options() {
  std::string out;
  for (const Section& section : sections()) {
    out += fmt::format(".SS {}\n", escaped_for_man(section.title));
    for (const Parameter& parameter : section.parameters) {
      if (!is_listed(parameter)) continue;
      out += fmt::format(".TP\n.B \\-\\-{} {}\n{}\n", escaped_for_man(parameter.name),
                         escaped_for_man(default_of(parameter)),
                         escaped_for_man(meaning_of(parameter)));
    }
  }
  return out;
}

}  // namespace hearth::config
