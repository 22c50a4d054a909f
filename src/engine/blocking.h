// Blocking: commands that wait.
//
// A handler that finds nothing asks to wait for keys; this part keeps a copy of the request and
// parks the session. Which keys changed is read off the effect log: when a unit has been committed,
// each changed key that somebody waits for is looked at, in the order of the changes, and the
// commands of those who wait for it are run again, first come first served, each as a unit of its
// own. One that is served is answered and may go on; one that is not keeps its place. A command
// that is served may change keys in its turn (BLMOVE): the list is worked off until it is empty,
// which it is after at most as many rounds as clients waited, since only a served client changes
// anything.
#pragma once

#include "src/command/blocking_control.h"
#include "src/engine/blocked_clients.h"
#include "src/engine/core.h"
#include "src/engine/holds.h"
#include "src/engine/observers.h"
#include "src/engine/sessions.h"

namespace hearth {

class Blocking final : public BlockingControl, public EffectSink {
 public:
  struct Parts {
    EngineCore& core;
    Executor& executor;
    Sessions& sessions;
    Holds& holds;
    Observers& observers;
  };
  Blocking(const Parts& parts, std::uint64_t seed) : parts_(parts), clients_(seed) {}

  // BlockingControl
  void wait_for_keys(CommandContext& ctx, KeyWait key_wait) override;
  void wait_for_progress(CommandContext& ctx, MonoTime deadline) override;
  void progressed() override;
  [[nodiscard]] bool unblock(ConnId id, Unblock how) override;
  void unblock_all(std::string_view error) override;

  // EffectSink
  void on_commit(const CommittedUnit& unit) override;
  void note_all(DbIndex db) { clients_.note_all(db); }
  // A hold or a busy script has ended: who was put off for it is woken by the next serve_ready().
  void wake_put_off() { clients_.wake_put_off(); }

  [[nodiscard]] const BlockedClients& clients() const { return clients_; }
  [[nodiscard]] BlockedClient* find(const Session& session) { return clients_.find(session.id); }
  [[nodiscard]] bool has_ready() const { return clients_.has_ready(); }
  // Runs the commands of those who may be served now. Outside of units.
  void serve_ready();
  // When the first client that waits gives up, 0 if none does; run_due() is to be called then.
  [[nodiscard]] MonoTime next_deadline() const { return clients_.first_deadline(); }
  // Ends the waits whose deadline is past.
  void run_due();
  // A slot that is no longer served here takes those along who wait for keys of it.
  void follow_view();
  void forget(Session& session);

 private:
  void block(CommandContext& ctx, BlockedClient client);
  void run_again(Session& session, BlockedClient& client);
  void release(Session& session, std::size_t out_before);
  void serve_woken();
  void serve_key(const BlockedClients::Key& key);
  void count_unserved(Session& session, const BlockedClient& client, std::uint64_t reply_bytes);
  void end_wait(Session& session, BlockedClient& client);
  void refuse_wait(Session& session, const BlockedClient& client, std::string_view error);

  Parts parts_;
  BlockedClients clients_;
  bool serving_ = false;  // serve_ready is under way
};

}  // namespace hearth
