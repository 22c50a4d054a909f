// Runtime: the scripts and libraries that a server holds, and the interpreters that run them.
//
// Scripts that EVAL brought are kept for EVALSHA, the 500 used last; those that SCRIPT LOAD brought
// stay until SCRIPT FLUSH. An interpreter is made when the first script needs it and goes with the
// last: an idle server pays nothing.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/name_map.h"
#include "src/command/script_control.h"
#include "src/command/script_flags.h"
#include "src/command/script_host.h"
#include "src/script/vm.h"

namespace hearth::script {

class Runtime final : public ScriptControl {
 public:
  Runtime(ScriptHost& host, Identity identity);
  ~Runtime() override;

  Outcome eval(CommandContext& ctx, bool read_only) override;
  Outcome eval_digest(CommandContext& ctx, bool read_only) override;
  Outcome call_function(CommandContext& ctx, bool read_only) override;
  [[nodiscard]] std::optional<ScriptFlags> flags_of(
      std::string_view command, std::span<const std::string_view> argv) override;

  [[nodiscard]] Result<std::string, ReplyError> load(std::string_view body) override;
  [[nodiscard]] const std::string* body_of(std::string_view digest) override;
  void flush_scripts() override;
  void set_debugging(ConnId client, ScriptDebugging how) override;

  [[nodiscard]] Result<std::string, ReplyError> load_library(std::string_view code, bool replace,
                                                             milliseconds limit) override;
  [[nodiscard]] Outcome restore_libraries(std::span<const std::string> codes, Restore how) override;
  [[nodiscard]] bool delete_library(std::string_view name) override;
  void flush_libraries() override;
  void for_each_library(const std::function<void(const ScriptLibrary&)>& fn) const override;

  [[nodiscard]] ScriptFigures figures() const override;

 private:
  struct Script {
    std::string digest, body;
    ScriptFlags flags = script_flag::kUnmarked;
    Vm::Ref function = LUA_NOREF;
    bool evictable = false;
    std::list<Script*>::iterator place;  // in lru_, if evictable
  };
  struct Function {
    ScriptFunction about;
    Vm::Ref ref = LUA_NOREF;
    std::string library;  // whose it is
  };
  struct Library {
    ScriptLibrary about;
    std::vector<Function> functions;
    [[nodiscard]] std::size_t bytes() const;
  };
  using Libraries = std::map<std::string, std::unique_ptr<Library>>;

  Vm& vm(ScriptKind kind);
  Result<Script*, ReplyError> keep(std::string_view body, bool evictable);
  void forget(Script& script);
  [[nodiscard]] Script* find(std::string_view digest) const;
  Outcome run(CommandContext& ctx, Script& script, bool read_only);
  Outcome run_debugged(CommandContext& ctx, Script& script, std::size_t keys, bool read_only);
  Outcome run_admitted(CommandContext& ctx, const ScriptStart& start, Vm::Ref function,
                       std::size_t keys);

  // Reads and runs the code; the library is not yet one of libraries_.
  Result<std::unique_ptr<Library>, ReplyError> make_library(std::string_view code,
                                                            milliseconds limit);
  void drop(Library& library);
  using Index = NameMap<const Function*>;  // names in lower case
  static void add_to(Index& index, const Library& library);
  static void take_from(Index& index, const Library& library);
  // A function of `library` whose name one of another library has; empty if there is none.
  [[nodiscard]] static std::string taken_name(const Index& index, const Library& library);
  // Makes a library one of libraries_, or no longer one. The cost is that of its own functions.
  void install(std::unique_ptr<Library> library);
  void remove(Libraries::iterator at);

  ScriptHost& host_;
  Identity identity_;
  std::unique_ptr<Vm> eval_vm_, function_vm_;
  NameViewMap<std::unique_ptr<Script>> by_digest_;
  NameViewMap<Script*> by_body_;
  std::list<Script*> lru_;  // evictable ones, the oldest first
  std::uint64_t cache_bytes_ = 0;
  struct Debugged {
    ConnId client = 0;
    ScriptDebugging how = ScriptDebugging::kOff;
  };
  std::vector<Debugged> debugged_;  // clients whose next EVAL is debugged, or refused
  Libraries libraries_;             // names in lower case: they are told apart without case
  Index functions_;                 // of all libraries
  std::uint64_t library_bytes_ = 0;
};

}  // namespace hearth::script
