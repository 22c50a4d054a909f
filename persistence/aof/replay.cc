#include "persistence/aof/replay.h"

#include <algorithm>
#include <vector>

#include "src/proto/request_parser.h"

namespace hearth::aof {
namespace {

constexpr std::size_t kAhead = 64 * 1024;
constexpr std::size_t kNoteMost = 1024;
// A log holds what its server accepted, whose limits may have been other ones. Memory is taken only
// for bytes that are there.
constexpr std::int64_t kWordMost = INT64_MAX / 4;

class Replayer {
 public:
  Replayer(io::InputWindow& in, const ReplayHandler& handler) : in_(in), handler_(handler) {
    limits_.bulk_bytes = kWordMost;
  }

  Result<ReplayEnd> run() {
    whole_up_to_ = in_.offset();
    for (;;) {
      HEARTH_TRY_VOID(in_.fill(kAhead));
      if (in_.at_end()) return ReplayEnd{handler_.in_transaction(), whole_up_to_};
      HEARTH_TRY(const bool more, in_.view().front() == '#' ? skip_note() : run_command());
      if (!more) return ReplayEnd{true, whole_up_to_};
      if (!handler_.in_transaction()) whole_up_to_ = in_.offset();
      HEARTH_TRY_VOID(handler_.progress(in_.offset()));
    }
  }

 private:
  tl::unexpected<Error> bad_format() const {
    return in_.corrupt("Bad file format reading the append only file");
  }

  // A note takes one line. False: the file ends in it.
  Result<bool> skip_note() {
    const std::size_t end = in_.view().substr(0, kNoteMost).find('\n');
    if (end == std::string_view::npos) {
      if (in_.view().size() >= kNoteMost) return bad_format();
      return false;
    }
    if (handler_.note) handler_.note(in_.view().substr(0, end + 1));
    in_.consume(end + 1);
    return true;
  }

  // False: the file ends in the command.
  Result<bool> run_command() {
    if (in_.view().front() != '*') return bad_format();
    parser_.reset();
    for (;;) {
      words_.clear();
      std::size_t consumed = 0;
      switch (parser_.next(in_.view(), limits_, words_, consumed)) {
        case RequestParser::Status::kRequest: {
          if (words_.empty()) return bad_format();
          HEARTH_TRY_VOID(handler_.run(words_));
          in_.consume(consumed);
          return true;
        }
        case RequestParser::Status::kError: return bad_format();
        case RequestParser::Status::kNeedMore:
          if (in_.saw_end()) return false;
          HEARTH_TRY_VOID(in_.fill(std::max(parser_.bytes_wanted(), in_.view().size() + kAhead)));
          break;
      }
    }
  }

  io::InputWindow& in_;
  const ReplayHandler& handler_;
  RequestParser parser_;
  ParserLimits limits_;
  std::vector<std::string_view> words_;
  std::uint64_t whole_up_to_ = 0;
};

}  // namespace

Result<ReplayEnd> replay(io::InputWindow& in, const ReplayHandler& handler) {
  return Replayer(in, handler).run();
}

}  // namespace hearth::aof
