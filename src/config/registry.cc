#include "src/config/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/check.h"
#include "src/base/glob.h"
#include "src/base/parse_number.h"

namespace hearth::config {
namespace {

std::string set_failed(std::string_view name, std::string_view why) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace

Registry::Registry() {
  for (const Section& section : sections()) {
    for (const Parameter& parameter : section.parameters) {
      const std::size_t index = parameters_.size();
      parameters_.push_back(&parameter);
      texts_.emplace_back(parameter.default_text);
      by_alias_.push_back(false);
      const bool fresh = by_name_.emplace(parameter.name, index).second;
      HEARTH_CHECK(fresh);
      if (!parameter.alias.empty()) by_name_.emplace(parameter.alias, index);
    }
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = *parameters_[i];
    if (parameter.type.kind == Kind::kLines) continue;
    const std::vector<std::string> words{std::string(parameter.default_text)};
    const auto value = parse_value(parameter.type, words, "");
    HEARTH_CHECK(value.has_value());
    store(i, *value);
  }
}

std::optional<std::size_t> Registry::index_of(std::string_view name) const {
  const auto found = by_name_.find(lower_case(name));
  if (found == by_name_.end()) return std::nullopt;
  return found->second;
}

const Parameter* Registry::find(std::string_view name) const {
  const auto index = index_of(name);
  return index ? parameters_[*index] : nullptr;
}

std::optional<std::string_view> Registry::value_of(std::string_view name) const {
  const auto index = index_of(name);
  if (!index) return std::nullopt;
  return texts_[*index];
}

std::string_view Registry::text_of(const Parameter& parameter) const {
  return *value_of(parameter.name);
}

std::string_view Registry::word_of(const Parameter& parameter) const {
  return by_alias_[*index_of(parameter.name)] ? parameter.alias : parameter.name;
}

void Registry::note_word(std::size_t index, std::string_view name) {
  by_alias_[index] = equals_ignore_case(parameters_[index]->alias, name);
}

void Registry::store(std::size_t index, const Value& value) {
  texts_[index] = value.text;
  if (parameters_[index]->assign != nullptr) parameters_[index]->assign(settings_, value);
}

Result<void, std::string> Registry::replace(std::string_view name,
                                            std::span<const std::string> words) {
  const auto index = index_of(name);
  HEARTH_CHECK(index.has_value());
  HEARTH_TRY(const Value value, parse_value(parameters_[*index]->type, words, texts_[*index]));
  store(*index, value);
  return {};
}

void Registry::on_change(std::initializer_list<std::string_view> names, Hook hook) {
  HookEntry entry;
  for (const std::string_view name : names) {
    const auto index = index_of(name);
    HEARTH_CHECK(index.has_value());
    entry.parameters.push_back(*index);
  }
  entry.hook = std::move(hook);
  hooks_.push_back(std::move(entry));
}

void Registry::on_any_change(Hook hook) { hooks_.push_back({{}, true, std::move(hook)}); }

std::vector<NamedText> Registry::get(std::span<const std::string_view> patterns) const {
  std::vector<NamedText> found;
  // Patterns by how they are looked for: whole names, each to be answered as it is spelled, and
  // those with wildcards.
  std::vector<std::string_view> wild;
  std::map<std::size_t, std::vector<std::string_view>> exact;
  for (const std::string_view pattern : patterns) {
    if (pattern.find_first_of("*?[\\") != std::string_view::npos) {
      wild.push_back(pattern);
    } else if (const auto index = index_of(pattern)) {
      std::vector<std::string_view>& asked = exact[*index];
      if (std::find(asked.begin(), asked.end(), pattern) == asked.end()) asked.push_back(pattern);
    }
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = *parameters_[i];
    if (parameter.type.kind == Kind::kLines) continue;
    const bool hidden = has(parameter.flags, Flag::kHidden);
    const auto asked = exact.find(i);
    if (asked != exact.end()) {
      for (const std::string_view name : asked->second) found.emplace_back(name, texts_[i]);
    }
    for (const std::string_view name : {parameter.name, parameter.alias}) {
      const bool told =
          asked != exact.end() &&
          std::find(asked->second.begin(), asked->second.end(), name) != asked->second.end();
      if (name.empty() || hidden || told) continue;
      const bool matches = std::any_of(wild.begin(), wild.end(), [&](std::string_view pattern) {
        return glob_match(pattern, name, GlobCase::kIgnore);
      });
      if (matches) found.emplace_back(name, texts_[i]);
    }
  }
  return found;
}

Result<std::vector<Registry::Change>, std::string> Registry::check(
    std::span<const std::pair<std::string_view, std::string_view>> pairs,
    ChangeContext context) const {
  std::vector<Change> changes;
  for (const auto& [name, text] : pairs) {
    const auto index = index_of(name);
    if (!index || parameters_[*index]->type.kind == Kind::kLines) {
      return unexpected(
          fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name));
    }
    const Flag flags = parameters_[*index]->flags;
    if (has(flags, Flag::kImmutable))
      return unexpected(set_failed(name, "can't set immutable config"));
    if (has(flags, Flag::kProtected) && !context.protected_allowed) {
      return unexpected(set_failed(name, "can't set protected config"));
    }
    if (has(flags, Flag::kNotWhileLoading) && context.loading) {
      return unexpected(
          fmt::format("LOADING '{}' can't be set while the data set is loading", name));
    }
    for (const Change& earlier : changes) {
      if (earlier.index == *index) return unexpected(set_failed(name, "duplicate parameter"));
    }
    changes.push_back({*index, {}, false});
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const std::size_t index = changes[i].index;
    // Nothing that stands in a configuration needs one, and a file is read line by line. Passwords
    // may be any bytes, as they may be in AUTH; they are quoted in a file and never logged.
    const bool may_be_any = has(parameters_[index]->flags, Flag::kSensitive);
    if (!may_be_any && has_control_characters(pairs[i].second)) {
      return unexpected(set_failed(pairs[i].first, "argument must not contain control characters"));
    }
    const std::vector<std::string> words{std::string(pairs[i].second)};
    auto value = parse_value(parameters_[index]->type, words, texts_[index]);
    if (!value) return unexpected(set_failed(pairs[i].first, value.error()));
    changes[i].changed =
        value->text != texts_[index] || has(parameters_[index]->flags, Flag::kAlwaysApply);
    changes[i].value = std::move(*value);
  }
  return changes;
}

Result<void, std::string> Registry::set(
    std::span<const std::pair<std::string_view, std::string_view>> pairs, ChangeContext context) {
  HEARTH_TRY(const std::vector<Change> changes, check(pairs, context));
  const std::vector<std::string> old_texts = texts_;
  const Settings old_settings = settings_;
  for (const Change& change : changes) store(change.index, change.value);

  // The first pair that concerns the hook is the one the error names.
  const auto concerned = [&](const HookEntry& entry) -> std::optional<std::size_t> {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto& mine = entry.parameters;
      if (changes[i].changed &&
          (entry.always || std::find(mine.begin(), mine.end(), changes[i].index) != mine.end())) {
        return i;
      }
    }
    return std::nullopt;
  };
  for (std::size_t h = 0; h < hooks_.size(); ++h) {
    const auto pair = concerned(hooks_[h]);
    if (!pair) continue;
    auto applied = hooks_[h].hook(settings_);
    if (applied) continue;
    texts_ = old_texts;
    settings_ = old_settings;
    for (std::size_t undo = 0; undo <= h; ++undo) {
      // The old values were in force a moment ago; if one cannot be restored, the reply still says
      // that the change failed, which is all a client can be told.
      if (concerned(hooks_[undo])) static_cast<void>(hooks_[undo].hook(settings_));
    }
    return unexpected(set_failed(pairs[*pair].first, applied.error()));
  }
  for (std::size_t i = 0; i < changes.size(); ++i) note_word(changes[i].index, pairs[i].first);
  return {};
}

void Registry::apply_lines(const Parameter& parameter, std::span<const std::string> words) {
  std::vector<std::string> line(words.begin(), words.end());
  if (parameter.name == "user")
    settings_.user_lines.push_back(std::move(line));
  else if (parameter.name == "loadmodule")
    settings_.modules.push_back(std::move(line));
  else if (parameter.name == "rename-command")
    settings_.renamed_commands.emplace_back(line[0], line[1]);
}

Result<void, std::string> Registry::apply_directive(std::span<const std::string> words) {
  constexpr const char* kBadDirective = "Bad directive or wrong number of arguments";
  const auto index = index_of(words[0]);
  if (!index) return unexpected(std::string(kBadDirective));
  const Parameter& parameter = *parameters_[*index];
  const auto values = words.subspan(1);

  if (parameter.type.kind == Kind::kLines) {
    const std::size_t wanted = parameter.name == "rename-command" ? 2 : 1;
    const bool exact = parameter.name == "rename-command";
    // An include with its one path never comes here: it is the loader's.
    const bool include = parameter.name == "include";
    if (include || values.size() < wanted || (exact && values.size() > wanted)) {
      return unexpected(std::string(kBadDirective));
    }
    apply_lines(parameter, values);
    return {};
  }
  HEARTH_TRY(Value value, parse_value(parameter.type, values, texts_[*index]));
  note_word(*index, words[0]);
  if (parameter.type.kind == Kind::kSave) {
    // The first directive replaces the default; later ones add. An empty one starts afresh.
    const bool add = save_given_ && !value.text.empty() && !texts_[*index].empty();
    save_given_ = true;
    if (add) {
      const std::vector<std::string> both{texts_[*index] + " " + value.text};
      HEARTH_TRY(value, parse_value(parameter.type, both, ""));
    }
  }
  store(*index, value);
  return {};
}

}  // namespace hearth::config
