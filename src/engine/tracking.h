// Tracker: tells clients that what they have cached has changed.
//
// It reads key events off the effect log. A unit's messages go out when it is committed; the events
// before a read in the same unit are taken first, so that the read is remembered as of then. A
// client that changes a key itself hears of it behind the reply.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "src/base/random.h"
#include "src/command/key_extract.h"
#include "src/command/session.h"
#include "src/command/tracking_control.h"
#include "src/config/registry.h"
#include "src/effects/effect_log.h"
#include "src/tracking/tracking.h"

namespace hearth {

class ClientControl;

class Tracker final : public EffectSink, public TrackingControl {
 public:
  struct Parts {
    ClientControl& clients;
    const config::Registry& config;
    const EffectLog& effects;
    Rng& rng;
    Session* const& actor;                    // whose command runs; null: nobody's
    std::function<void()> on_first_and_last;  // somebody tracks, or nobody any more
  };
  Tracker(const Parts& parts, std::uint64_t seed) : parts_(parts), table_(seed) {}

  // Does anybody track?
  [[nodiscard]] bool is_on() const { return client_count_ > 0; }

  // TrackingControl
  void start(Session& session, tracking::Client how) override;
  void stop(Session& session) override;
  [[nodiscard]] const tracking::Table& table() const override { return table_; }
  [[nodiscard]] std::size_t client_count() const override { return client_count_; }

  // EffectSink
  void on_commit(const CommittedUnit& unit) override;

  // A command ran for the session: if it read keys, they are remembered.
  void note_read(Session& session, const Command& command, std::span<const std::string_view> argv);
  // A database was emptied: everybody who tracks hears it once, at the end of the unit.
  void note_flush() {
    flushed_ = is_on();
    if (!flushed_) table_.clear();  // of those who have left
  }
  void finish_unit();
  // Forgets keys beyond tracking-table-max-keys, a bounded number of them.
  void limit_table();

 private:
  void take(std::span<const KeyEvent> events);
  void forget(std::string_view key, const std::vector<ConnId>& readers, bool by_actor);
  void send_broadcasts();
  // The session that gets the owner's messages, if it can; tells the owner if it has left.
  Session* receiver_of(Session& owner);
  void send(Session& owner, std::span<const std::string_view> keys);
  void send_all(Session& owner);

  Parts parts_;
  tracking::Table table_;
  std::size_t client_count_ = 0;
  std::size_t taken_ = 0;  // events of the unit under way that are done
  bool flushed_ = false;
  // Changed keys by prefix; true: by the actor alone.
  std::map<std::string, std::map<std::string, bool>, std::less<>> broadcasts_;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth
