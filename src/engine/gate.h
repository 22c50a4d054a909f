// Gate: may this request run here, now, for this client?
//
// The checks are a list (kChecks in gate.cc), in the order in which the first refusal answers. Each
// names the conditions under which it can have anything to say: of the server, of the session, of
// the command. A request for which none of these conditions holds passes without any of the checks
// being looked at; that is the fast path, and there is no second description of it.
//
// The gate knows flags of commands, never their names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/command/key_extract.h"
#include "src/engine/accounts.h"
#include "src/engine/core.h"
#include "src/engine/eviction.h"
#include "src/engine/holds.h"
#include "src/engine/sessions.h"
#include "src/engine/transactions.h"

namespace hearth {

class Gate {
 public:
  struct Parts {
    EngineCore& core;
    Executor& executor;
    Sessions& sessions;
    Holds& holds;
    Transactions& transactions;
    Eviction& eviction;
    Accounts& accounts;
  };
  explicit Gate(const Parts& parts) : parts_(parts) {}

  using Words = std::span<const std::string_view>;
  // Unless it passes, what the client hears was written.
  [[nodiscard]] Verdict admit(Session& session, const Command& command, Words argv,
                              const KeyRef& first_key) {
    if (!has_conditions(session, command, argv, first_key)) [[likely]]
      return Verdict::kPass;
    return check(session, command, argv, conditions_of(session, command, argv, first_key));
  }

  // To be called when loading, following, settings or what PersistenceControl says have changed.
  void refresh();
  // Replicas that answered within min-replicas-max-lag: writes ask for min-replicas-to-write of
  // them.
  void set_good_replicas(std::size_t count);
  // Why no change may be made now, if so.
  [[nodiscard]] std::string_view write_refusal() const;

 private:
  // Conditions that make checks necessary. Bits.
  enum Condition : std::uint32_t {
    kMalformed = 1U << 0,  // wrong number of words, or a container without a subcommand
    kUnauthenticated = 1U << 1,
    kProtected = 1U << 2,
    kInMulti = 1U << 3,
    kReplaying = 1U << 4,
    kRestricted = 1U << 5,  // the user may not do everything
    kSubscriber = 1U << 6,
    kSlots = 1U << 7,  // in cluster mode, and not one key of a slot that is served here
    kClientLimit = 1U << 8,
    kOverMemory = 1U << 9,
    kGuarded = 1U << 10,
    kBusy = 1U << 11,
    kHolding = 1U << 12,
  };
  struct Request {
    Session& session;
    const Command& command;
    Words argv;
    std::string refusal{};   // set by the check that refuses
    bool redirects = false;  // and tells a client of a cluster where to go, in words that it reads
  };
  // nullopt: the next check is asked.
  using Check = std::optional<Verdict> (Gate::*)(Request&);
  struct Row {
    std::uint32_t conditions;  // any of them calls for the check
    Check check;
  };
  static const Row kChecks[];

  // Calls fn(holds, condition) for each. The two readers below are all that looks at it.
  template <typename F>
  void each_condition(const Session& session, const Command& command, Words argv,
                      const KeyRef& first_key, F&& fn) const {
    const EngineCore& core = parts_.core;
    fn(!command.spec->arity.accepts(argv.size()), kMalformed);
    fn(command.spec->handler == nullptr, kMalformed);
    fn(has(command.flags, Flag::kProtected), kProtected);
    fn(!session.authenticated, kUnauthenticated);
    fn(session.in_multi, kInMulti);
    fn(session.replaying, kReplaying);
    fn(!session.account->unrestricted(), kRestricted);
    fn(session.in_subscribe_mode(), kSubscriber);
    fn(core.guarded, kGuarded);
    fn(core.script_busy, kBusy);
    fn(core.holding, kHolding);
    fn(core.hot.clients_most != 0, kClientLimit);
    fn(parts_.eviction.is_over_limit(), kOverMemory);
    fn(core.hot.cluster && !is_served(command, first_key), kSlots);
  }
  // Whether any holds, which is cheaper to find out than which.
  [[nodiscard]] bool has_conditions(const Session& session, const Command& command, Words argv,
                                    const KeyRef& first_key) const {
    bool any = false;
    each_condition(session, command, argv, first_key, [&](bool holds, Condition) { any |= holds; });
    return any;
  }
  [[nodiscard]] std::uint32_t conditions_of(const Session& session, const Command& command,
                                            Words argv, const KeyRef& first_key) const {
    std::uint32_t all = 0;
    each_condition(session, command, argv, first_key,
                   [&](bool holds, Condition c) { all |= holds ? c : 0U; });
    return all;
  }
  // One key, of a slot that is served here and is not in motion.
  [[nodiscard]] bool is_served(const Command& command, const KeyRef& first_key) const {
    const cluster::View* view = parts_.core.view.get();
    return view != nullptr && command.first_key > 0 && command.last_key == command.first_key &&
           !has(command.flags, Flag::kMovableKeys) && view->serves(first_key.slot);
  }
  [[nodiscard]] Verdict check(Session& session, const Command& command, Words argv,
                              std::uint32_t conditions);
  Verdict refuse(Request& request);

  std::optional<Verdict> check_form(Request& r);
  std::optional<Verdict> check_authenticated(Request& r);
  std::optional<Verdict> check_protected(Request& r);
  std::optional<Verdict> check_multi(Request& r);
  std::optional<Verdict> check_replay(Request& r);
  std::optional<Verdict> check_rights(Request& r);
  std::optional<Verdict> check_subscriber(Request& r);
  std::optional<Verdict> check_slots(Request& r);
  std::optional<Verdict> check_clients(Request& r);
  std::optional<Verdict> check_memory(Request& r);
  std::optional<Verdict> check_guards(Request& r);
  std::optional<Verdict> check_busy(Request& r);
  std::optional<Verdict> check_pause(Request& r);
  std::optional<Verdict> check_queue(Request& r);
  std::optional<Verdict> check_locks(Request& r);

  static std::optional<Verdict> refuse_with(Request& r, std::string_view text);
  // Inside MULTI it is queued instead of run.
  static bool is_queued(const Request& r) {
    return r.session.in_multi && !has(r.command.flags, Flag::kUnqueued);
  }
  // Does anything that the request does have the flag?
  [[nodiscard]] bool does(const Request& r, Flag flag) const;
  [[nodiscard]] bool lacks_replicas() const;

  Parts parts_;
  std::size_t good_replicas_ = 0;
  std::vector<KeyPosition> positions_;
};

// The error for a command that there is none of.
[[nodiscard]] std::string unknown_command(std::span<const std::string_view> argv);

}  // namespace hearth
