#include "src/server/slot_target.h"

#include <algorithm>
#include <utility>

#include "cluster/model/slot.h"
#include "src/base/parse_number.h"
#include "src/command/key_extract.h"
#include "src/command/write_guard.h"
#include "src/effects/version_notes.h"
#include "src/server/slot_drops.h"

namespace hearth {

SlotTarget::SlotTarget(Engine& engine, const cluster::SlotSet& slots)
    : engine_(engine), slots_(slots) {
  slots_.for_each([this](Slot slot) { hide_slot(engine_, slot, true); });
  session_ = &engine_.open({"slot-import:0", "", -1, false, false, false});
  session_->replaying = session_->authenticated = true;
}

SlotTarget::~SlotTarget() { engine_.close(*session_); }

void SlotTarget::keep() {
  slots_.for_each([this](Slot slot) { hide_slot(engine_, slot, false); });
}

// Lets through the commands that a stream of effects has, and keys of these slots alone.
std::string SlotTarget::check(std::span<const std::string_view> words) {
  if (words.empty()) return "ERR an empty command";
  const Command* command = engine_.services().commands->resolve(words);
  if (command == nullptr || !command->spec->arity.accepts(words.size()))
    return "ERR an unknown command in the stream of the source";
  if (words.size() == 1 &&
      (equals_ignore_case(words[0], "MULTI") || equals_ignore_case(words[0], "EXEC")))
    return {};
  if (words.size() == 2 && equals_ignore_case(words[0], "SELECT")) return {};
  if (const auto key = key_of_version_echo(words)) {
    return slots_.has(cluster::slot_of(*key)) ? "" : "ERR the source told of a key of another slot";
  }
  const bool is_echo = words.size() == 2 && equals_ignore_case(words[0], "ECHO");
  if (const auto gone = is_echo ? GoneNote::parse(words[1]) : std::nullopt) {
    const bool are_ours = std::all_of(
        gone->keys.begin(), gone->keys.end(),
        [&](const GoneNote::Key& key) { return slots_.has(Tombstones::slot_of(key.fingerprint)); });
    return are_ours ? "" : "ERR the source told of keys of another slot";
  }
  // PFCOUNT may change what it reads.
  const bool writes = command->writes() || (has(command->flags, Flag::kMayReplicate) &&
                                            !has(command->flags, Flag::kRunsScript) &&
                                            !has(command->flags, Flag::kPubsub));
  const bool known = command->spec->handler != nullptr && writes &&
                     extract_keys(*command, words, positions_) && !positions_.empty();
  const bool allowed =
      known && std::all_of(positions_.begin(), positions_.end(), [&](const KeyPosition& p) {
        return slots_.has(cluster::slot_of(words[p.index]));
      });
  if (allowed) return {};
  return "ERR the source sent a command that is not for keys of these slots: " + command->full_name;
}

// False: one of them failed.
bool SlotTarget::run() {
  if (batch_.requests.empty()) return true;
  const std::uint64_t errors = engine_.stats().unexpected_error_replies;
  const std::size_t count = batch_.requests.size();
  const std::size_t done = engine_.run(*session_, batch_);
  batch_.clear();
  session_->out.clear();
  session_->output_pending = false;
  session_->own_pushes.clear();
  return done == count && engine_.stats().unexpected_error_replies == errors;
}

std::string SlotTarget::apply(std::string_view chunk) {
  if (session_->close_now || session_->close_after_reply) return "ERR the import was killed";
  RequestParser parser;
  std::string error;
  batch_.clear();
  engine_.begin_import();
  while (!chunk.empty() && error.empty()) {
    std::size_t consumed = 0;
    const std::size_t first = batch_.words.size();
    if (chunk.front() != '*' ||
        parser.next(chunk, {}, batch_.words, consumed) != RequestParser::Status::kRequest) {
      error = "ERR the source sent a chunk that is no commands";
      break;
    }
    chunk.remove_prefix(consumed);
    const std::span<const std::string_view> words(batch_.words.data() + first,
                                                  batch_.words.size() - first);
    error = check(words);
    batch_.requests.push_back({static_cast<std::uint32_t>(first),
                               static_cast<std::uint32_t>(words.size()),
                               0,
                               nullptr,
                               {}});
    const bool full = batch_.requests.size() == RequestBatch::kRequestsMost || chunk.empty();
    if (error.empty() && full && !run()) error = "ERR a command of the source failed";
  }
  batch_.clear();
  if (error.empty() && session_->in_multi) error = "ERR a transaction of the source has no end";
  engine_.end_import();
  return error;
}

}  // namespace hearth
