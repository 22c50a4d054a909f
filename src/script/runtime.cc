// EVAL and the cache of scripts.
#include "src/script/runtime.h"

#include <algorithm>

#include "src/base/parse_number.h"
#include "src/base/sha1.h"
#include "src/command/context.h"
#include "src/script/debugger.h"
#include "src/script/shebang.h"

namespace hearth::script {
namespace {

constexpr std::size_t kEvalScriptsMost = 500;
constexpr std::size_t kDigestLength = 40;
constexpr std::size_t kFirstKey = 3;
constexpr std::string_view kNoScript = "NOSCRIPT No matching script. Please use EVAL.";

// How many of the words behind the count are keys.
Result<std::size_t, ReplyError> key_count(const ArgReader& args, std::string_view no_number) {
  HEARTH_TRY(const std::int64_t count, args.integer(2, no_number));
  if (count > static_cast<std::int64_t>(args.size() - kFirstKey))
    return refuse("ERR Number of keys can't be greater than number of args");
  if (count < 0) return refuse("ERR Number of keys can't be negative");
  return static_cast<std::size_t>(count);
}

}  // namespace

Runtime::Runtime(ScriptHost& host, Identity identity)
    : host_(host),
      identity_(std::move(identity)),
      by_digest_(host.name_seed()),
      by_body_(host.name_seed()),
      functions_(host.name_seed()) {}

Runtime::~Runtime() = default;

Vm& Runtime::vm(ScriptKind kind) {
  std::unique_ptr<Vm>& vm = kind == ScriptKind::kEval ? eval_vm_ : function_vm_;
  if (vm == nullptr) vm = std::make_unique<Vm>(kind, host_, identity_);
  return *vm;
}

Runtime::Script* Runtime::find(std::string_view digest) const {
  if (digest.size() != kDigestLength) return nullptr;
  char text[kDigestLength];
  for (std::size_t i = 0; i < kDigestLength; ++i) text[i] = ascii_lower(digest[i]);
  const auto at = by_digest_.find({text, kDigestLength});
  return at == by_digest_.end() ? nullptr : at->second.get();
}

// Compiles a script that is not there yet.
Result<Runtime::Script*, ReplyError> Runtime::keep(std::string_view body, bool evictable) {
  HEARTH_TRY(const Shebang shebang, read_script_shebang(body));
  auto function = vm(ScriptKind::kEval).compile(body.substr(shebang.length), "@user_script");
  if (!function) return refuse("ERR Error compiling script (new function): " + function.error());
  auto script = std::make_unique<Script>();
  Script* const s = script.get();
  s->digest = sha1_hex(body);
  s->body = body;
  s->flags = shebang.flags;
  s->function = *function;
  s->evictable = evictable;
  if (evictable) s->place = lru_.insert(lru_.end(), s);
  cache_bytes_ += sizeof(Script) + s->digest.capacity() + s->body.capacity();
  by_body_.emplace(s->body, s);
  by_digest_.emplace(s->digest, std::move(script));
  return s;
}

void Runtime::forget(Script& script) {
  if (script.evictable) lru_.erase(script.place);
  eval_vm_->forget(script.function);
  cache_bytes_ -= sizeof(Script) + script.digest.capacity() + script.body.capacity();
  by_body_.erase(script.body);
  // The key is a view into the script: found by a copy, it goes with it.
  const std::string digest = script.digest;
  by_digest_.erase(digest);
}

Outcome Runtime::eval(CommandContext& ctx, bool read_only) {
  const std::string_view body = ctx.arg(1);
  if (const auto at = by_body_.find(body); at != by_body_.end())
    return run(ctx, *at->second, read_only);
  HEARTH_TRY_VOID(key_count(ctx.args(), kNotInteger));
  HEARTH_TRY(Script* const script, keep(body, true));
  while (lru_.size() > kEvalScriptsMost) {
    forget(*lru_.front());
    ++ctx.services().stats->evicted_scripts;
  }
  return run(ctx, *script, read_only);
}

Outcome Runtime::eval_digest(CommandContext& ctx, bool read_only) {
  HEARTH_TRY_VOID(key_count(ctx.args(), kNotInteger));
  Script* script = find(ctx.arg(1));
  if (script == nullptr) return refuse(std::string(kNoScript));
  return run(ctx, *script, read_only);
}

Outcome Runtime::run(CommandContext& ctx, Script& script, bool read_only) {
  HEARTH_TRY(const std::size_t keys, key_count(ctx.args(), kNotInteger));
  if (script.evictable) lru_.splice(lru_.end(), lru_, script.place);
  if (!debugged_.empty()) {
    const auto at = std::find_if(debugged_.begin(), debugged_.end(),
                                 [&](const Debugged& d) { return d.client == ctx.session().id; });
    if (at != debugged_.end()) {
      const ScriptDebugging how = at->how;
      debugged_.erase(at);
      if (how == ScriptDebugging::kSync) return run_debugged(ctx, script, keys, read_only);
      return refuse(
          "ERR The script was not run, since SCRIPT DEBUG YES was refused: it would have changed "
          "the data");
    }
  }
  return run_admitted(
      ctx, {ScriptKind::kEval, script.digest, script.flags, read_only, ctx.args().words()},
      script.function, keys);
}

Outcome Runtime::run_admitted(CommandContext& ctx, const ScriptStart& start, Vm::Ref function,
                              std::size_t keys) {
  HEARTH_TRY_VOID(host_.begin_script(start, ctx.session()));
  const std::span<const std::string_view> words = ctx.args().from(kFirstKey);
  Outcome outcome = vm(start.kind)
                        .run({function, start.name, words.first(keys), words.subspan(keys),
                              &ctx.reply().out(), ctx.reply().resp()});
  host_.end_script();
  return outcome;
}

// One script, then the connection ends: that tells the client that the session is over.
Outcome Runtime::run_debugged(CommandContext& ctx, Script& script, std::size_t keys,
                              bool read_only) {
  Debugger debugger(host_, script.body);
  vm(ScriptKind::kEval).set_debugger(&debugger);
  Outcome outcome = run_admitted(
      ctx, {ScriptKind::kEval, script.digest, script.flags, read_only, ctx.args().words()},
      script.function, keys);
  vm(ScriptKind::kEval).set_debugger(nullptr);
  ctx.session().close_after_reply = true;
  return outcome;
}

void Runtime::set_debugging(ConnId client, ScriptDebugging how) {
  constexpr std::size_t kDebuggedMost = 64;  // clients may leave without a script
  std::erase_if(debugged_, [&](const Debugged& d) { return d.client == client; });
  if (how == ScriptDebugging::kOff) return;
  if (debugged_.size() == kDebuggedMost) debugged_.erase(debugged_.begin());
  debugged_.push_back({client, how});
}

Outcome Runtime::call_function(CommandContext& ctx, bool read_only) {
  const auto at = functions_.find(lower_case(ctx.arg(1)));
  if (at == functions_.end()) return refuse("ERR Function not found");
  const Function& function = *at->second;
  HEARTH_TRY(const std::size_t keys, key_count(ctx.args(), "ERR Bad number of keys provided"));
  return run_admitted(ctx,
                      {ScriptKind::kFunction, function.about.name, function.about.flags, read_only,
                       ctx.args().words()},
                      function.ref, keys);
}

std::optional<ScriptFlags> Runtime::flags_of(std::string_view command,
                                             std::span<const std::string_view> argv) {
  if (command.starts_with("fcall")) {
    const auto at = functions_.find(lower_case(argv[1]));
    if (at == functions_.end()) return std::nullopt;
    return at->second->about.flags;
  }
  if (command.starts_with("evalsha")) {
    const Script* script = find(argv[1]);
    if (script == nullptr) return std::nullopt;
    return script->flags;
  }
  if (const auto at = by_body_.find(argv[1]); at != by_body_.end()) return at->second->flags;
  const auto shebang = read_script_shebang(argv[1]);
  if (!shebang) return std::nullopt;
  return shebang->flags;
}

Result<std::string, ReplyError> Runtime::load(std::string_view body) {
  const auto at = by_body_.find(body);
  if (at == by_body_.end()) {
    HEARTH_TRY(const Script* const script, keep(body, false));
    return script->digest;
  }
  Script& script = *at->second;
  if (script.evictable) lru_.erase(script.place);
  script.evictable = false;
  return script.digest;
}

const std::string* Runtime::body_of(std::string_view digest) {
  const Script* script = find(digest);
  return script == nullptr ? nullptr : &script->body;
}

void Runtime::flush_scripts() {
  by_body_.clear();
  lru_.clear();
  by_digest_.clear();
  cache_bytes_ = 0;
  eval_vm_.reset();
}

ScriptFigures Runtime::figures() const {
  ScriptFigures f;
  f.eval_vm_bytes = eval_vm_ == nullptr ? 0 : eval_vm_->heap_bytes();
  f.function_vm_bytes = function_vm_ == nullptr ? 0 : function_vm_->heap_bytes();
  f.cached_scripts = by_digest_.size();
  f.cache_bytes = cache_bytes_;
  f.libraries = libraries_.size();
  f.functions = functions_.size();
  f.library_bytes = library_bytes_;
  return f;
}

}  // namespace hearth::script
