#include "src/script/vm.h"

#include <cmath>
#include <cstdlib>

#include "src/base/check.h"
#include "src/base/log.h"
#include "src/script/debugger.h"
#include "src/script/sandbox.h"
#include "src/script/value.h"

namespace hearth::script {
namespace {

// Between two looks at the time: instructions, steps of C functions, and bytes that were allocated,
// since joining long texts is one instruction.
constexpr int kHookEvery = 100'000;
constexpr std::size_t kStepsEvery = 4'000'000;
constexpr std::size_t kBytesEvery = 32U << 20;
// No text or table of a script is larger: Lua raises "not enough memory" instead.
constexpr std::size_t kBlockMost = std::size_t{1} << 30;
// Runs between two steps of the collector: scripts that make little garbage each would otherwise
// leave a long collection to one of them.
constexpr int kRunsPerStep = 50;
// A load of a library is late after so many instructions at the earliest, as above.
constexpr const char* kLoadChunk = "@user_function";

constexpr std::string_view kKilledEval = "Script killed by user with SCRIPT KILL.";
constexpr std::string_view kKilledFunction = "Script killed by user with FUNCTION KILL.";

int panic(lua_State* L) {
  log::warning("Lua: unprotected error: {}", lua_isstring(L, -1) != 0 ? text_at(L, -1) : "");
  std::abort();
}

std::string_view text_or(lua_State* L, int index, std::string_view otherwise) {
  return lua_isstring(L, index) != 0 ? text_at(L, index) : otherwise;
}

}  // namespace

Vm::Vm(ScriptKind kind, ScriptHost& host, const Identity& identity)
    : kind_(kind), host_(host), identity_(identity), random_state_(host.script_random() >> 16) {
  lua_ = lua_newstate(allocate, this);
  HEARTH_CHECK(lua_ != nullptr);
  current_ = lua_;
  lua_atpanic(lua_, panic);
  lua_pushcfunction(lua_, build_world);
  const int built = lua_pcall(lua_, 0, LUA_MULTRET, 0);
  HEARTH_CHECK(built == 0 && lua_gettop(lua_) == kLoadGlobals);
  arm_hook();
}

Vm::~Vm() { lua_close(lua_); }

void* Vm::allocate(void* self, void* block, std::size_t old_size, std::size_t size) {
  auto& vm = *static_cast<Vm*>(self);
  auto& bytes = vm.heap_bytes_;
  if (size == 0) {
    std::free(block);
    bytes -= old_size;
    return nullptr;
  }
  if (size > kBlockMost && size > old_size) return nullptr;
  vm.allocated_ += size;
  if (vm.allocated_ > kBytesEvery && (vm.running_ || vm.loading_ != nullptr)) {
    // An error can't be raised from here, but the next instruction can be made to look.
    vm.allocated_ = 0;
    lua_sethook(vm.current_, on_event, lua_gethookmask(vm.current_) | LUA_MASKCOUNT, 1);
  }
  void* moved = std::realloc(block, size);
  if (moved != nullptr) bytes += size - (block != nullptr ? old_size : 0);
  return moved;
}

Vm& Vm::of(lua_State* L) {
  void* self = nullptr;
  lua_getallocf(L, &self);
  return *static_cast<Vm*>(self);
}

void Vm::arm_hook() { lua_sethook(lua_, on_event, LUA_MASKCOUNT, kHookEvery); }

void Vm::on_event(lua_State* L, lua_Debug* event) {
  Vm& vm = of(L);
  if (vm.debugger_ != nullptr && vm.running_ && event->event == LUA_HOOKLINE) {
    if (vm.debugger_->on_line(L, event)) return;
    push_error(L, "ERR script aborted for user request");
    lua_error(L);
  }
  vm.look(L);
  if (lua_gethookcount(L) != kHookEvery) lua_sethook(L, on_event, lua_gethookmask(L), kHookEvery);
}

void Vm::spend(lua_State* L, std::size_t steps) {
  Vm& vm = of(L);
  vm.spent_ += steps;
  if (vm.spent_ >= kStepsEvery) vm.look(L);
}

void Vm::look(lua_State* L) {
  spent_ = 0;
  std::string_view text;
  if (loading_ != nullptr) {
    if (loading_->is_late()) text = "FUNCTION LOAD timeout";
  } else if (running_ && host_.must_stop_script()) {
    text = kind_ == ScriptKind::kEval ? kKilledEval : kKilledFunction;
  }
  if (text.empty()) return;
  // The error may be caught: it comes again with every instruction, until the run has ended.
  lua_sethook(L, on_event, LUA_MASKCOUNT | LUA_MASKLINE, 1);
  if (L != lua_) lua_sethook(lua_, on_event, LUA_MASKCOUNT | LUA_MASKLINE, 1);
  push(L, "ERR ");
  push(L, text);
  lua_concat(L, 2);
  push_error(L, text_at(L, -1));
  lua_error(L);
}

Result<Vm::Ref, std::string> Vm::compile(std::string_view code, const char* chunk_name) {
  // Byte code could do what the compiler would not: only texts are taken.
  if (!code.empty() && code.front() == LUA_SIGNATURE[0])
    return tl::unexpected<std::string>("byte code is not loaded");
  const int status = luaL_loadbuffer(lua_, code.data(), code.size(), chunk_name);
  if (status != 0) {
    std::string text(text_or(lua_, -1, "unknown error"));
    lua_settop(lua_, kLoadGlobals);
    return tl::unexpected<std::string>(std::move(text));
  }
  return luaL_ref(lua_, LUA_REGISTRYINDEX);
}

void Vm::forget(Ref ref) { luaL_unref(lua_, LUA_REGISTRYINDEX, ref); }

Outcome Vm::run(const Call& call) {
  const auto push_words = [this](std::span<const std::string_view> words) {
    lua_createtable(lua_, static_cast<int>(words.size()), 0);
    for (std::size_t i = 0; i < words.size(); ++i) {
      push(lua_, words[i]);
      lua_rawseti(lua_, -2, static_cast<int>(i + 1));
    }
  };
  running_ = true;
  current_ = lua_;
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, call.function);
  int arguments = 0;
  if (kind_ == ScriptKind::kEval) {
    // A script may have changed its own environment the last time.
    lua_pushvalue(lua_, kEnvironment);
    lua_setfenv(lua_, -2);
    push_words(call.keys);
    lua_setfield(lua_, kGlobals, "KEYS");
    push_words(call.args);
    lua_setfield(lua_, kGlobals, "ARGV");
  } else {
    push_words(call.keys);
    push_words(call.args);
    arguments = 2;
  }
  if (debugger_ != nullptr) lua_sethook(lua_, on_event, LUA_MASKCOUNT | LUA_MASKLINE, kHookEvery);
  const int status = lua_pcall(lua_, arguments, 1, kErrorHandler);
  if (debugger_ != nullptr) debugger_->end(*call.out);
  running_ = false;
  Outcome outcome = status == 0 ? give_result(call) : failure(call.name);
  lua_settop(lua_, kLoadGlobals);
  if (lua_gethookmask(lua_) != LUA_MASKCOUNT || lua_gethookcount(lua_) != kHookEvery) arm_hook();
  if (++runs_ == kRunsPerStep) {
    runs_ = 0;
    lua_gc(lua_, LUA_GCSTEP, kRunsPerStep);
  }
  return outcome;
}

// The result is on top.
Outcome Vm::give_result(const Call& call) {
  if (lua_istable(lua_, -1)) {
    if (raw_field(lua_, "err") == LUA_TSTRING) {
      ReplyError error{std::string(text_at(lua_, -1))};
      lua_pop(lua_, 1);
      error.counted = raw_field(lua_, "ignore_error_stats_update") == LUA_TBOOLEAN;
      return tl::unexpected<ReplyError>(std::move(error));
    }
    lua_pop(lua_, 1);
  }
  ReplyWriter reply(*call.out, call.client_resp);
  write_value(lua_, reply, host_.script_resp(), host_);
  return {};
}

// The error that ended the run is on top: a table, unless the message handler itself failed.
Outcome Vm::failure(std::string_view name) {
  if (!lua_istable(lua_, -1)) {
    return refuse("ERR Error running script " + std::string(name) + ", " +
                  std::string(text_or(lua_, -1, "execution failure")));
  }
  ReplyError error;
  error.text = raw_field(lua_, "err") == LUA_TSTRING ? text_at(lua_, -1) : "ERR unknown error";
  lua_pop(lua_, 1);
  error.counted = raw_field(lua_, "ignore_error_stats_update") == LUA_TBOOLEAN;
  lua_pop(lua_, 1);
  const bool has_source = raw_field(lua_, "source") == LUA_TSTRING;
  lua_insert(lua_, -2);
  const bool has_line = raw_field(lua_, "line") == LUA_TNUMBER;
  if (has_source && has_line) {
    error.text += " script: " + std::string(name) + ", on " + std::string(text_at(lua_, -3)) + ":" +
                  std::string(text_at(lua_, -1)) + ".";
  }
  return tl::unexpected<ReplyError>(std::move(error));
}

void Vm::set_globals(bool for_loading) {
  lua_pushvalue(lua_, for_loading ? kLoadGlobals : kGlobals);
  lua_setfield(lua_, kEnvironmentMeta, "__index");
}

Outcome Vm::run_library(std::string_view code, LibraryLoad& load) {
  auto compiled = compile(code, kLoadChunk);
  if (!compiled) return refuse("ERR Error compiling function: " + compiled.error());
  loading_ = &load;
  current_ = lua_;
  set_globals(true);
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, *compiled);
  const int status = lua_pcall(lua_, 0, 0, 0);
  set_globals(false);
  loading_ = nullptr;
  Outcome outcome;
  if (status != 0) {
    std::string text;
    if (lua_istable(lua_, -1)) {
      text = raw_field(lua_, "err") == LUA_TSTRING ? text_at(lua_, -1) : "ERR unknown error";
    } else {
      text = "ERR " + std::string(text_or(lua_, -1, "unknown error"));
    }
    outcome = refuse("ERR Error registering functions: " + text);
  }
  lua_settop(lua_, kLoadGlobals);
  forget(*compiled);
  arm_hook();
  return outcome;
}

std::optional<std::span<const std::string_view>> Vm::words(lua_State* L) {
  const int count = lua_gettop(L);
  words_.clear();
  if (number_texts_.size() < static_cast<std::size_t>(count))
    number_texts_.resize(static_cast<std::size_t>(count));
  for (int i = 1; i <= count; ++i) {
    const int type = lua_type(L, i);
    if (type == LUA_TSTRING) {
      words_.push_back(text_at(L, i));
    } else if (type == LUA_TNUMBER) {
      // Integers are written without an exponent, since commands read them so.
      constexpr double kExactMost = 9.2e18;
      const double value = lua_tonumber(L, i);
      char* text = number_texts_[static_cast<std::size_t>(i - 1)].data();
      const bool is_integer = std::fabs(value) < kExactMost && std::floor(value) == value;
      words_.emplace_back(text, is_integer ? format_int64(static_cast<std::int64_t>(value), text)
                                           : format_reply_double(value, text));
    } else {
      return std::nullopt;
    }
  }
  return words_;
}

std::string_view Vm::whole(const OutBuffer& reply) {
  if (reply.segment_count() == 1) {
    std::string_view bytes;
    reply.gather(1, [&](const char* data, std::size_t length) { bytes = {data, length}; });
    return bytes;
  }
  whole_ = reply.str();
  return whole_;
}

LibraryLoad::~LibraryLoad() {
  for (const Function& f : functions_) vm_.forget(f.ref);
}

std::string_view LibraryLoad::add(Function function) {
  std::string_view error;
  if (!is_good_name(function.about.name)) error = kBadName;
  for (const Function& f : functions_) {
    if (f.about.name == function.about.name) error = "Function already exists in the library";
  }
  // Also one that is refused: it is forgotten with the rest.
  functions_.push_back(std::move(function));
  return error;
}

bool LibraryLoad::is_late() {
  return deadline_ticks_ != 0 && vm_.host().script_ticks() > deadline_ticks_;
}

bool is_good_name(std::string_view name) {
  for (const char c : name) {
    const bool is_good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!is_good) return false;
  }
  return !name.empty();
}

}  // namespace hearth::script
