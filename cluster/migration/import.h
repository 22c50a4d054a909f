// Import: the target's side of a move of slots, as a pure state machine. See export.h for the
// other one.
//
//   receiving -> keys and effects arrive; clients do not see them
//   copying   -> all is here; a replica is to have it, so that the end of this node loses nothing
//   taking    -> the bus was asked to take the slots, with the epoch that the source reserved
//   success, failed, cancelled
//
// The source's link ends the import as long as the slots are not taken; what was received is
// dropped then. A take that was begun is finished whatever becomes of the link, since the source
// asks for the outcome.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth::cluster::migration {

namespace to {
struct Applied {      // a chunk of the stream
  std::string error;  // empty: it was
};
struct Commit {
  Epoch epoch = 0;
};
struct Copied {};     // a replica has what was received, or this node has no replica
struct Taken {        // answers Take
  std::string error;  // empty: the slots are this node's, on its disk too
};
struct Closed {};  // the source's link
enum class Owner : std::uint8_t { kSource, kMe, kOther };
struct Cluster {
  Owner owner = Owner::kSource;  // of the slots; kOther: of one of them
};
struct Cancel {};
struct Spoiled {  // the data was flushed, this node is a replica now
  std::string why;
};
struct Tick {};
}  // namespace to

using ImportInput = std::variant<to::Applied, to::Commit, to::Copied, to::Taken, to::Closed,
                                 to::Cluster, to::Cancel, to::Spoiled, to::Tick>;

enum class ImportAction : std::uint8_t {
  kCopy,    // to::Copied is due
  kTake,    // with Import::epoch()
  kAnswer,  // Import::answer() to the source's last request; empty: OK
  kShow,    // clients see the keys from now on
  kDrop,    // the keys go
  kClose,   // the source's link
};

class Import {
 public:
  enum class State : std::uint8_t { kReceiving, kCopying, kTaking, kSuccess, kFailed, kCancelled };

  // silence: of the source, before it is given up. It says something each second.
  Import(milliseconds silence, MonoTime now) : silence_(silence), last_heard_(now) {}

  [[nodiscard]] std::vector<ImportAction> step(const ImportInput& input, MonoTime now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_over() const { return state_ >= State::kSuccess; }
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  [[nodiscard]] const std::string& answer() const { return answer_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  using Actions = std::vector<ImportAction>;
  void on(const to::Applied& in, Actions& out);
  void on(const to::Commit& in, Actions& out);
  void on(const to::Copied&, Actions& out);
  void on(const to::Taken& in, Actions& out);
  void on(const to::Closed&, Actions& out);
  void on(const to::Cluster& in, Actions& out);
  void on(const to::Cancel&, Actions& out);
  void on(const to::Spoiled& in, Actions& out);
  void on(const to::Tick&, Actions& out);
  [[nodiscard]] bool may_give_up() const { return state_ < State::kTaking; }
  void give_up(State state, std::string why, Actions& out);
  void reply(std::string error, Actions& out);

  milliseconds silence_;
  State state_ = State::kReceiving;
  MonoTime now_{};
  MonoTime last_heard_{};
  bool open_ = true;
  Epoch epoch_ = 0;
  std::string answer_, message_;
};

[[nodiscard]] std::string_view state_name(Import::State state);

}  // namespace hearth::cluster::migration
