#include "src/config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "src/base/parse_number.h"
#include "src/config/help.h"
#include "src/config/words.h"

namespace hearth::config {
namespace {

constexpr int kIncludeDepthMax = 16;

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = line.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlanks) - first + 1);
}

bool has_wildcard(std::string_view path) {
  return path.find_first_of("*?[") != std::string_view::npos;
}

// Names that files of old servers have and that have meant nothing for long.
bool is_obsolete(std::string_view name) {
  constexpr std::string_view kNames[] = {"list-max-ziplist-entries", "list-max-ziplist-value",
                                         "lua-replicate-commands"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view known) { return equals_ignore_case(known, name); });
}

class Loader {
 public:
  Loader(Registry& registry, ConfigFiles& files) : registry_(registry), files_(files) {}

  Result<void, ConfigError> load(std::string_view text, const std::string& file, int depth) {
    int number = 0;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view line = trimmed(text.substr(0, end));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      ++number;
      if (line.empty() || line[0] == '#') continue;
      auto words = split_words(line);
      if (!words) {
        return unexpected(ConfigError{file, number, std::string(line),
                                      "Unbalanced quotes in configuration line"});
      }
      if (words->empty()) continue;
      if (equals_ignore_case((*words)[0], "include") && words->size() == 2) {
        auto included = include((*words)[1], depth);
        if (!included && included.error().line == 0) {
          return unexpected(ConfigError{file, number, std::string(line), included.error().reason});
        }
        if (!included) return included;
        continue;
      }
      if (is_obsolete((*words)[0]) && words->size() == 2) continue;
      auto applied = registry_.apply_directive(*words);
      if (!applied) {
        return unexpected(ConfigError{file, number, std::string(line),
                                      with_advice(applied.error(), (*words)[0])});
      }
    }
    return {};
  }

 private:
  // Tells which word is wrong, and which one may have been meant.
  [[nodiscard]] std::string with_advice(const std::string& reason, const std::string& name) const {
    if (registry_.find(name) != nullptr) return reason;
    std::string text = reason + fmt::format("\nThere is no parameter '{}'.", name);
    if (const auto near = nearest_parameter(name))
      text += fmt::format(" Did you mean '{}'?", *near);
    return text;
  }

  // An error of line 0 is of the include itself.
  Result<void, ConfigError> include(const std::string& pattern, int depth) {
    if (depth >= kIncludeDepthMax) {
      return unexpected(ConfigError{pattern, 0, "", "files include each other too deeply"});
    }
    std::vector<std::string> paths{pattern};
    if (has_wildcard(pattern)) paths = files_.matching(pattern);
    for (const std::string& path : paths) {
      const auto text = files_.read(path);
      if (!text) {
        return unexpected(ConfigError{
            path, 0, "",
            fmt::format("can't open config file '{}': {}", path, text.error().context)});
      }
      auto loaded = load(*text, path, depth + 1);
      if (!loaded) return loaded;
    }
    return {};
  }

  Registry& registry_;
  ConfigFiles& files_;
};

Result<void, ConfigError> check_whole(const Settings& settings) {
  if (settings.cluster_enabled && !settings.replicaof.host.empty()) {
    return unexpected(ConfigError{"", 0, "", "replicaof directive not allowed in cluster mode"});
  }
  if (!settings.aclfile.empty() && !settings.user_lines.empty()) {
    return unexpected(ConfigError{
        "", 0, "", "users are defined in the configuration and in an ACL file; use one"});
  }
  if (!settings.modules.empty()) {
    return unexpected(ConfigError{"", 0, "", "loadmodule: modules cannot be loaded"});
  }
  if (settings.cluster_expected_size > 0 && !settings.cluster_enabled) {
    return unexpected(ConfigError{"", 0, "", "cluster-expected-size needs cluster-enabled yes"});
  }
  return {};
}

bool is_option(std::string_view argument) { return argument.starts_with("--"); }

}  // namespace

CommandLine parse_command_line(std::span<const std::string> arguments) {
  CommandLine out;
  std::size_t i = 0;
  if (i < arguments.size() && !arguments[i].empty() && arguments[i][0] != '-') {
    out.config_file = arguments[i++];
  }
  enum class State { kNoOption, kWantsValue, kMayTakeMore };
  State state = State::kNoOption;
  for (; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-" && i + 1 == arguments.size()) {
      out.from_stdin = true;
      continue;
    }
    const bool is_value = state == State::kWantsValue || !is_option(argument);
    if (is_value) {
      if (state != State::kNoOption) out.directives += ' ';
      out.directives += quoted(argument);
      // Words without "--" in front of the first option are a directive too.
      if (state == State::kNoOption) state = State::kMayTakeMore;
      if (state == State::kWantsValue) state = State::kMayTakeMore;
      continue;
    }
    if (!out.directives.empty()) out.directives += '\n';
    const std::string_view directive = std::string_view(argument).substr(2);
    out.directives += directive;
    const auto words = split_words(directive);
    const bool has_value = words && words->size() > 1;
    const bool next_is_option = i + 1 < arguments.size() && is_option(arguments[i + 1]);
    const bool is_save = equals_ignore_case(directive, "save");
    state = has_value || (is_save && next_is_option) ? State::kMayTakeMore : State::kWantsValue;
  }
  return out;
}

Result<void, ConfigError> load_text(Registry& registry, std::string_view text, ConfigFiles& files) {
  return Loader(registry, files).load(text, "", 0);
}

Result<void, ConfigError> load(Registry& registry, const CommandLine& command_line,
                               ConfigFiles& files) {
  std::string text;
  const auto append = [&](const std::string& path) -> Result<void, ConfigError> {
    const auto read = files.read(path);
    if (!read) {
      return unexpected(ConfigError{
          path, 0, "", fmt::format("can't open config file '{}': {}", path, read.error().context)});
    }
    text += *read;
    text += '\n';
    return {};
  };
  if (!command_line.config_file.empty()) HEARTH_TRY_VOID(append(command_line.config_file));
  if (command_line.from_stdin) HEARTH_TRY_VOID(append("-"));
  HEARTH_TRY_VOID(load_text(registry, text, files));
  if (auto options = load_text(registry, command_line.directives, files); !options) {
    options.error().on_command_line = options.error().file.empty();
    return options;
  }
  return check_whole(registry.settings());
}

std::string fatal_text(const ConfigError& error, std::string_view program) {
  std::string text = fmt::format("\n*** FATAL CONFIG FILE ERROR ({}) ***\n", program);
  if (error.on_command_line) {
    text += fmt::format("Reading the options of the command line\n>>> '{}'\n", error.text);
  } else if (error.line > 0) {
    const std::string where = error.file.empty() ? "" : fmt::format(" '{}'", error.file);
    text += fmt::format("Reading the configuration file{}, at line {}\n>>> '{}'\n", where,
                        error.line, error.text);
  }
  text += error.reason + "\n";
  return text;
}

}  // namespace hearth::config
