// The parameters of one server: their values, how they are read, changed and written back.
//
//   Registry registry;
//   HEARTH_TRY_VOID(load(registry, command_line, files));       // load.h
//   registry.on_change({"maxmemory"}, [&](const Settings& s) { ... });
//   registry.set({{"maxmemory", "100mb"}}, access);             // CONFIG SET
//
// Invariant: settings() is what the canonical texts say, for every parameter. Engine thread only.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/result.h"
#include "src/config/parameter.h"
#include "src/config/settings.h"

namespace hearth::config {

// The asker of a change, and the moment.
struct ChangeContext {
  bool protected_allowed = false;  // as enable-protected-configs and the client's address say
  bool loading = false;            // the data set is being loaded
};

using NamedText = std::pair<std::string, std::string>;

class Registry {
 public:
  // Applies a change to the world: the reason in words for the client, or nothing.
  using Hook = std::function<Result<void, std::string>(const Settings& settings)>;

  // Every parameter at its default.
  Registry();

  [[nodiscard]] const Settings& settings() const { return settings_; }

  // Runs `hook` once after a set() that changed one of `names` (or named one that is always
  // applied). Hooks run in the order of registration. If one fails, all values return to what they
  // were and the hooks that had run are run again with the old values.
  void on_change(std::initializer_list<std::string_view> names, Hook hook);
  // The same for every change. For whoever keeps values in a form of its own: a list of the names
  // that it depends on would be forgotten when it begins to use one more. The hook must be cheap.
  void on_any_change(Hook hook);

  // CONFIG GET: name and value of every parameter that one of the patterns matches, each once, in
  // table order, a parameter with two spellings under each spelling that matches. Patterns ignore
  // case; one without wildcards gives the name back as it was asked for. Hidden parameters answer
  // only to their exact name.
  [[nodiscard]] std::vector<NamedText> get(std::span<const std::string_view> patterns) const;

  // CONFIG SET: all of the pairs or none. Values with control characters are refused.
  //   returns  the text of the error reply, without '-', as the documentation gives it
  [[nodiscard]] Result<void, std::string> set(
      std::span<const std::pair<std::string_view, std::string_view>> pairs, ChangeContext context);

  // The canonical text of a parameter; nothing for an unknown name.
  [[nodiscard]] std::optional<std::string_view> value_of(std::string_view name) const;

  // Replaces a value from inside: REPLICAOF, the absolute form of dir, a port the system chose.
  // May be called by a hook. Runs no hook. The name must exist; the words may come from anywhere.
  //   returns  the reason in words; the value is as it was then
  [[nodiscard]] Result<void, std::string> replace(std::string_view name,
                                                  std::span<const std::string> words);
  [[nodiscard]] Result<void, std::string> replace(std::string_view name, std::string_view word) {
    const std::string words[] = {std::string(word)};
    return replace(name, words);
  }

  // One directive of a file or of the command line; words[0] is its name. Immutable parameters may
  // be given, hooks do not run, `save` adds to earlier `save` directives.
  //   returns  the reason in words
  [[nodiscard]] Result<void, std::string> apply_directive(std::span<const std::string> words);

  // For CONFIG REWRITE.
  [[nodiscard]] const Parameter* find(std::string_view name) const;
  [[nodiscard]] std::string_view text_of(const Parameter& parameter) const;
  // The spelling of the name by which it was set last.
  [[nodiscard]] std::string_view word_of(const Parameter& parameter) const;

 private:
  struct HookEntry {
    std::vector<std::size_t> parameters;
    bool always = false;  // whatever changed
    Hook hook;
  };
  struct Change {
    std::size_t index = 0;
    Value value;
    bool changed = false;
  };

  [[nodiscard]] std::optional<std::size_t> index_of(std::string_view name) const;
  [[nodiscard]] Result<std::vector<Change>, std::string> check(
      std::span<const std::pair<std::string_view, std::string_view>> pairs,
      ChangeContext context) const;
  void store(std::size_t index, const Value& value);
  // Notes which of its two names a parameter was called by.
  void note_word(std::size_t index, std::string_view name);
  void apply_lines(const Parameter& parameter, std::span<const std::string> words);

  std::vector<const Parameter*> parameters_;  // table order
  std::vector<std::string> texts_;            // canonical, by index
  std::vector<bool> by_alias_;                // called by the alias when it was set last
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::vector<HookEntry> hooks_;
  Settings settings_;
  bool save_given_ = false;
};

}  // namespace hearth::config
