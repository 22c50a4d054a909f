// ReplicaSide: replication as a replica sees it, as a state machine. It knows no sockets, files or
// clocks: events come in by step(), with the time; what is to be done comes out.
//
//   state        what it waits for                                   time-out, from
//   kNone        nothing: this server follows nobody
//   kConnect     a second since the last attempt
//   kConnecting  the connection                                      timeout, the attempt
//   kHandshake   the primary's answers, up to that to PSYNC          timeout, the last byte
//   kTransfer    the snapshot: its header, then its bytes            timeout, the last byte
//   kLoad        the snapshot is loaded (by whoever runs the loop)
//   kConnected   the stream                                          timeout, the last byte
//
// Any failure closes the link and goes back to kConnect. What was run of the stream stays, and the
// next attempt asks to go on behind it; a transaction that is not complete comes again.
//
// Memory: a line of the handshake is bounded by kLineMost; of the stream, about kInputAhead waits
// while it can't be run.
//
// The stream's commands are pulled: next_command(), then command_done().
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "src/base/time.h"
#include "src/proto/request_parser.h"
#include "src/replication/handshake.h"

namespace hearth::replication {

class ReplicaSide {
 public:
  enum class State : std::uint8_t {
    kNone,
    kConnect,
    kConnecting,
    kHandshake,
    kTransfer,
    kLoad,
    kConnected
  };

  // --- what happens ---
  struct Followed {  // connects with the end of the turn
    std::string host;
    std::uint16_t port = 0;
  };
  struct Left {};  // nobody is followed any more
  struct Connected {
    Handshake::Hello hello;
  };
  struct Received {
    std::string_view bytes;
  };
  struct Lost {
    std::string_view why;
  };
  struct Ticked {
    bool must_wait = false;  // the stream can't be run now
  };
  struct TurnEnded {
    bool must_wait = false;
  };
  struct FileFailed {  // an action on the file failed; those behind it were not done
    std::string why;
  };
  struct Loaded {
    bool succeeded = false;
    std::string why;
  };
  struct Killed {};  // a client ended the link
  using Event = std::variant<Followed, Left, Connected, Received, Lost, Ticked, TurnEnded,
                             FileFailed, Loaded, Killed>;

  // --- what is to be done, in this order ---
  struct Connect {};
  struct CloseLink {};
  struct SendLink {
    std::string bytes;
  };
  struct SetReading {
    bool on = false;
  };
  struct OpenFile {};
  struct WriteFile {
    std::string bytes;
  };
  struct CutFile {
    std::uint64_t bytes = 0;
  };
  struct SyncFile {};
  struct DiscardFile {};
  struct LoadDue {};
  struct Acknowledge {};  // with the offset, and that of the log
  struct DiscardTransaction {};
  struct RelayComplete {};  // take_complete() to this server's replicas
  struct ContinueAs {
    std::string id;
  };
  struct DropReplicas {};
  struct TakeoverAnswered {  // Hello::asks_takeover
    bool accepted = false;
  };
  struct Online {};     // there is a session for the stream from now on
  struct RunStream {};  // next_command() has something
  struct Note {
    enum class Level : std::uint8_t { kDebug, kNotice, kWarning } level = Level::kNotice;
    std::string text;
  };
  using Action =
      std::variant<Connect, CloseLink, SendLink, SetReading, OpenFile, WriteFile, CutFile, SyncFile,
                   DiscardFile, LoadDue, Acknowledge, DiscardTransaction, RelayComplete, ContinueAs,
                   DropReplicas, TakeoverAnswered, Online, RunStream, Note>;
  using Actions = std::vector<Action>;

  void set_timeout(seconds timeout) { timeout_ = timeout; }
  [[nodiscard]] Actions step(MonoTime now, const Event& event);

  // --- the stream, in state kConnected ---
  struct Command {
    std::span<const std::string_view> words;
    bool asks_for_ack = false;  // REPLCONF GETACK: not to be run
  };
  // Valid until command_done(). Nothing: no command is complete, or the bytes are none; then
  // is_broken().
  [[nodiscard]] std::optional<Command> next_command();
  // in_transaction: an open MULTI holds it back, so its bytes are not complete yet.
  void command_done(bool in_transaction);
  // After the last command of a run: what was read is let go of.
  void end_run();
  [[nodiscard]] bool is_broken() const { return broken_; }
  // Bytes of commands that were run and that no transaction holds back.
  [[nodiscard]] std::string take_complete() { return std::exchange(complete_, {}); }
  // The stream can't be run now: true once no more should be read.
  [[nodiscard]] bool has_enough_input() const { return input_.size() >= kInputAhead; }

  // --- what there is ---
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& host() const { return host_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Counts links, so that one that ended in between is noticed.
  [[nodiscard]] std::uint64_t attempt() const { return attempt_; }
  // Of the stream that the snapshot belongs to; in state kLoad.
  [[nodiscard]] const Handshake& handshake() const { return *handshake_; }
  [[nodiscard]] const std::optional<SnapshotHeader>& header() const { return header_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  // Bytes of the stream that were read and do not count in the offset yet.
  [[nodiscard]] std::uint64_t ahead() const { return open_.size() + input_.size(); }
  [[nodiscard]] MonoTime heard_at() const { return heard_at_; }
  // When the primary was last heard on a link that was up. This process may have noticed the end
  // of the link much later, since it stood still itself.
  [[nodiscard]] MonoTime in_touch_at() const {
    return state_ == State::kConnected ? heard_at_ : last_heard_;
  }
  [[nodiscard]] MonoTime down_since() const { return down_since_; }
  void note_acknowledged(MonoTime now) { acked_at_ = now; }

 private:
  static constexpr std::size_t kInputAhead = 16 * 1024 * 1024;

  void on(const Followed& event);
  void on(const Left& event);
  void on(const Connected& event);
  void on(const Received& event);
  void on(const Lost& event);
  void on(const Ticked& event);
  void on(const TurnEnded& event);
  void on(const FileFailed& event);
  void on(const Loaded& event);
  void on(const Killed& event);

  void connect();
  void drop(std::string_view why);
  void forget_transfer();
  void receive();
  [[nodiscard]] std::optional<std::string> take_line();
  [[nodiscard]] bool take_handshake_line();
  void handshake_ended();
  [[nodiscard]] bool take_snapshot_header();
  [[nodiscard]] std::optional<std::size_t> end_of_mark() const;
  void take_snapshot_bytes();
  void go_online();
  template <typename A>
  void act(A action) {
    actions_.emplace_back(std::move(action));
  }
  void note(Note::Level level, std::string text) { act(Note{level, std::move(text)}); }

  seconds timeout_{60};
  MonoTime now_{};
  Actions actions_;
  State state_ = State::kNone;
  std::string host_;
  std::uint16_t port_ = 0;
  bool connect_soon_ = false;
  std::uint64_t attempt_ = 0;
  std::optional<Handshake> handshake_;
  bool asks_takeover_ = false;  // by the handshake under way
  std::string input_;

  std::optional<SnapshotHeader> header_;
  bool has_file_ = false;
  std::uint64_t received_ = 0;
  std::string tail_;  // the last bytes received: the mark may begin in them

  RequestParser parser_;
  std::vector<std::string_view> words_;
  std::size_t done_ = 0;      // bytes of input_ that were run
  std::size_t consumed_ = 0;  // of the command that is being run
  bool broken_ = false;
  std::string complete_;  // run, and not yet relayed
  std::string open_;      // of a transaction that is not complete

  MonoTime tried_at_{}, heard_at_{}, last_heard_{}, down_since_{}, acked_at_{};
};

}  // namespace hearth::replication
