// The bytes of a primary, of unknown origin, from its first answer to its stream. However the bytes
// are cut into pieces the replica does the same, and it keeps no more than it was sent. The first
// byte says how: where the handshake begins, and the size of the pieces.
#include <cstdint>
#include <string>

#include "src/base/check.h"
#include "src/replication/replica_side.h"

namespace {

using namespace hearth;
using replication::ReplicaSide;

struct Seen {
  std::string commands, file, relayed, sent;
  ReplicaSide::State state = ReplicaSide::State::kNone;
  friend bool operator==(const Seen&, const Seen&) = default;
};

class Replica {
 public:
  explicit Replica(bool knows) {
    step(ReplicaSide::Followed{"primary", 1});
    step(ReplicaSide::TurnEnded{});
    replication::Handshake::Hello hello;
    if (knows) hello.replication_id = std::string(40, 'a');
    step(ReplicaSide::Connected{hello});
  }
  void hear(std::string_view bytes) {
    if (side_.state() != ReplicaSide::State::kConnect) step(ReplicaSide::Received{bytes});
  }
  Seen seen() {
    seen_.state = side_.state();
    return seen_;
  }
  [[nodiscard]] std::uint64_t ahead() const { return side_.ahead(); }

 private:
  void step(const ReplicaSide::Event& event) {
    bool run = false, loaded = false;
    for (const auto& action : side_.step(MonoTime{1'000'000}, event)) {
      if (const auto* piece = std::get_if<ReplicaSide::WriteFile>(&action))
        seen_.file += piece->bytes;
      if (const auto* cut = std::get_if<ReplicaSide::CutFile>(&action)) {
        HEARTH_CHECK(cut->bytes <= seen_.file.size());
        seen_.file.resize(cut->bytes);
      }
      if (const auto* bytes = std::get_if<ReplicaSide::SendLink>(&action))
        seen_.sent += bytes->bytes;
      run = run || std::holds_alternative<ReplicaSide::RunStream>(action);
      loaded = loaded || std::holds_alternative<ReplicaSide::LoadDue>(action);
    }
    if (loaded) return step(ReplicaSide::Loaded{true, ""});
    if (run) run_stream();
  }
  void run_stream() {
    while (const auto command = side_.next_command()) {
      for (const auto word : command->words) (seen_.commands += word) += '\n';
      if (command->words[0] == "MULTI") in_multi_ = true;
      if (command->words[0] == "EXEC") in_multi_ = false;
      side_.command_done(in_multi_);
    }
    side_.end_run();
    seen_.relayed += side_.take_complete();
    if (side_.is_broken()) step(ReplicaSide::Lost{"broken"});
  }

  ReplicaSide side_;
  Seen seen_;
  bool in_multi_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool knows = (data[0] & 1) != 0;
  const std::size_t piece = 1 + (data[0] >> 1);
  const std::string_view greeting = "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n";
  Replica at_once(knows), in_pieces(knows);
  at_once.hear(greeting);
  in_pieces.hear(greeting);
  at_once.hear(bytes);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    in_pieces.hear(bytes.substr(at, piece));
    HEARTH_CHECK(in_pieces.ahead() <= bytes.size());
  }
  HEARTH_CHECK(at_once.seen() == in_pieces.seen());
  return 0;
}
