// Export: the source's side of a move of slots, as a pure state machine.
//
// The driver walks the slots, writes what changes meanwhile into the same stream, and tells this
// machine how far that is; the machine says when writes wait, when the slots are handed over, and
// what is done when something fails. No socket, no data, no clock.
//
//   connecting   -> the target says whether it takes the slots
//   snapshot     -> keys are sent, with the effects on those that were sent
//   streaming    -> all keys were sent; the target catches up
//   paused       -> writes to the slots wait until the target has everything, for a bounded time
//   reserving    -> an epoch for the hand-over, on the disk
//   committing   -> the target was told to take the slots with that epoch
//   resolving    -> nobody knows whether it did: it is asked, and the cluster is watched
//   claimed      -> it did; its claim is on the way to this node's own bus
//   fencing      -> the cluster holds it for failed: this node takes an epoch above that one
//   success, failed, cancelled
//
// Until `committing` the slots are this node's whatever happens, and the move may end at any time.
// From then on writes wait until the answer is known: the target's, or the cluster's.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth::cluster::migration {

struct ExportSettings {
  std::uint64_t handoff_lag_bytes = 1 << 20;  // the pause begins at this lag, or below
  milliseconds pause_timeout{10'000};         // of the state `paused`
  milliseconds silence{60'000};               // of the target, before it is given up
};

// Bytes of effects that the target has not confirmed. Above the first, writers of the moving slots
// wait, until it is below the second: so the stream is bounded however fast they write.
inline constexpr std::uint64_t kBacklogMost = 16 << 20;
inline constexpr std::uint64_t kBacklogResume = 4 << 20;
// Streaming lasts no longer than this: then the pause begins at whatever lag, which is bounded.
inline constexpr milliseconds kStreamingMost{3'000};
inline constexpr milliseconds kAskAgain{200};
inline constexpr milliseconds kConnectAgain{200};
inline constexpr milliseconds kConnectMost{30'000};  // that a busy target may ask to wait
inline constexpr int kReservationsMost = 10;

namespace from {
struct Opened {};     // the link to the target
struct Answer {       // to Establish, Data or Commit, in order
  std::string error;  // empty: OK
};
struct Closed {
  std::string why;
};
// At the end of a turn: where the data stands.
struct Progress {
  bool walked = false;          // every key was sent at least once, and is up to date
  std::uint64_t lag_bytes = 0;  // made, but not confirmed
  bool is_idle = false;         // no transaction or script is under way
};
struct Reserved {
  Epoch epoch = 0;  // 0: it failed
};
enum class Owner : std::uint8_t { kMe, kOther };
// The cluster as this node sees it.
struct Cluster {
  Owner owner = Owner::kMe;    // of the slots; kOther: of one of them, somebody else
  bool target_failed = false;  // by the majority, and this node hears a majority; or forgotten
};
enum class Verdict : std::uint8_t { kTaken, kNotTaken, kUnknown };
struct Told {  // answers Ask
  Verdict verdict = Verdict::kUnknown;
};
struct Fenced {
  bool ok = false;
};
struct Cancel {};
struct Spoiled {  // the data can't be moved any more: it was flushed, this node is a replica now
  std::string why;
};
struct Tick {};
}  // namespace from

using ExportInput =
    std::variant<from::Opened, from::Answer, from::Closed, from::Progress, from::Reserved,
                 from::Cluster, from::Told, from::Fenced, from::Cancel, from::Spoiled, from::Tick>;

enum class ExportAction : std::uint8_t {
  kConnect,
  kEstablish,
  kHold,     // writes to the slots wait
  kRelease,  // they go on
  kReserve,
  kCommit,  // with Export::epoch()
  kAsk,     // on a connection of its own, whether the slots were taken
  kFence,   // an epoch above Export::epoch()
  kClose,   // the link
};

class Export {
 public:
  enum class State : std::uint8_t {
    kConnecting,
    kSnapshot,
    kStreaming,
    kPaused,
    kReserving,
    kCommitting,
    kResolving,
    kClaimed,
    kFencing,
    kSuccess,
    kFailed,
    kCancelled,
  };

  Export(const ExportSettings& settings, MonoTime now) : settings_(settings), since_(now) {}

  // The first step of a move: Tick.
  [[nodiscard]] std::vector<ExportAction> step(const ExportInput& input, MonoTime now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_over() const { return state_ >= State::kSuccess; }
  // Keys and effects are to be sent.
  [[nodiscard]] bool sends() const {
    return state_ >= State::kSnapshot && state_ <= State::kPaused;
  }
  // The target may have the slots: what happens to them here counts no more.
  [[nodiscard]] bool is_handed_over() const {
    return state_ >= State::kCommitting && state_ <= State::kFencing;
  }
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  // Why it failed, or what it waits for.
  [[nodiscard]] const std::string& message() const { return message_; }
  // For how long writes have waited, or did.
  [[nodiscard]] milliseconds paused_for(MonoTime now) const;
  [[nodiscard]] MonoTime last_answer() const { return last_answer_; }

 private:
  using Actions = std::vector<ExportAction>;

  void on(const from::Opened&, Actions& out);
  void on(const from::Answer& in, Actions& out);
  void on(const from::Closed& in, Actions& out);
  void on(const from::Progress& in, Actions& out);
  void on(const from::Reserved& in, Actions& out);
  void on(const from::Cluster& in, Actions& out);
  void on(const from::Told& in, Actions& out);
  void on(const from::Fenced& in, Actions& out);
  void on(const from::Cancel&, Actions& out);
  void on(const from::Spoiled& in, Actions& out);
  void on(const from::Tick&, Actions& out);

  void become(State state);
  void end(State state, std::string message, Actions& out);
  void hold(bool on, Actions& out);
  void resolve(std::string why, Actions& out);
  void commit_refused(const std::string& error, Actions& out);
  [[nodiscard]] milliseconds in_state() const;

  ExportSettings settings_;
  State state_ = State::kConnecting;
  MonoTime now_{};
  MonoTime since_{};  // of the state
  MonoTime last_answer_{};
  MonoTime next_ask_{};
  bool started_ = false;
  bool connected_ = false;  // or connecting
  MonoTime connect_at_{};
  MonoTime began_{};
  bool holds_ = false;
  bool target_failed_ = false;
  MonoTime held_since_{};
  milliseconds held_{0};
  int reservations_ = 0;
  Epoch epoch_ = 0;
  std::string message_;
};

// "snapshotting", "paused" ...: what GETSLOTMIGRATIONS says.
[[nodiscard]] std::string_view state_name(Export::State state);

}  // namespace hearth::cluster::migration
