#include "cluster/migration/import.h"

#include <utility>

namespace hearth::cluster::migration {

std::string_view state_name(Import::State state) {
  switch (state) {
    case Import::State::kReceiving: return "receiving";
    case Import::State::kCopying:
    case Import::State::kTaking: return "handing-over";
    case Import::State::kSuccess: return "success";
    case Import::State::kFailed: return "failed";
    case Import::State::kCancelled: return "cancelled";
  }
  return "";
}

std::vector<ImportAction> Import::step(const ImportInput& input, MonoTime now) {
  now_ = now;
  Actions out;
  if (is_over()) return out;
  std::visit([&](const auto& in) { on(in, out); }, input);
  return out;
}

void Import::reply(std::string error, Actions& out) {
  answer_ = std::move(error);
  if (open_) out.push_back(ImportAction::kAnswer);
}

void Import::give_up(State state, std::string why, Actions& out) {
  message_ = std::move(why);
  state_ = state;
  out.push_back(ImportAction::kDrop);
  if (open_) out.push_back(ImportAction::kClose);
}

void Import::on(const to::Applied& in, Actions& out) {
  last_heard_ = now_;
  if (state_ != State::kReceiving) return reply("ERR the slots are being taken", out);
  reply(in.error, out);
  if (!in.error.empty()) give_up(State::kFailed, in.error, out);
}

void Import::on(const to::Commit& in, Actions& out) {
  last_heard_ = now_;
  if (state_ != State::kReceiving) return reply("ERR the slots are being taken", out);
  state_ = State::kCopying;
  epoch_ = in.epoch;
  out.push_back(ImportAction::kCopy);
}

void Import::on(const to::Copied&, Actions& out) {
  if (state_ != State::kCopying) return;
  state_ = State::kTaking;
  out.push_back(ImportAction::kTake);
}

void Import::on(const to::Taken& in, Actions& out) {
  if (state_ != State::kTaking) return;
  reply(in.error, out);
  if (in.error.empty()) {
    state_ = State::kSuccess;
    out.push_back(ImportAction::kShow);
  } else if (in.error.starts_with("STALE") && open_) {
    state_ = State::kReceiving;  // the source comes again, with a later epoch
  } else {
    give_up(State::kFailed, in.error, out);
  }
}

void Import::on(const to::Closed&, Actions& out) {
  open_ = false;
  if (may_give_up()) give_up(State::kFailed, "the source closed its link", out);
}

void Import::on(const to::Cluster& in, Actions& out) {
  if (may_give_up() && in.owner != to::Owner::kSource)
    give_up(State::kFailed, "the slots are not the source's any more", out);
}

void Import::on(const to::Cancel&, Actions& out) {
  if (may_give_up()) give_up(State::kCancelled, "", out);
}

void Import::on(const to::Spoiled& in, Actions& out) {
  if (may_give_up()) give_up(State::kFailed, in.why, out);
}

void Import::on(const to::Tick&, Actions& out) {
  if (may_give_up() && now_ - last_heard_ > silence_)
    give_up(State::kFailed, "the source is silent", out);
}

}  // namespace hearth::cluster::migration
