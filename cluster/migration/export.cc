#include "cluster/migration/export.h"

#include <utility>

namespace hearth::cluster::migration {
namespace {

milliseconds since(MonoTime then, MonoTime now) {
  return std::chrono::duration_cast<milliseconds>(now - then);
}

constexpr std::string_view kBusy = "TRYAGAIN";  // a target that can't take the slots yet
constexpr std::string_view kStale = "STALE";    // one that knows a later epoch

}  // namespace

std::string_view state_name(Export::State state) {
  switch (state) {
    case Export::State::kConnecting: return "connecting";
    case Export::State::kSnapshot: return "snapshotting";
    case Export::State::kStreaming: return "replicating";
    case Export::State::kPaused: return "paused";
    case Export::State::kReserving:
    case Export::State::kCommitting:
    case Export::State::kResolving:
    case Export::State::kClaimed:
    case Export::State::kFencing: return "handing-over";
    case Export::State::kSuccess: return "success";
    case Export::State::kFailed: return "failed";
    case Export::State::kCancelled: return "cancelled";
  }
  return "";
}

std::vector<ExportAction> Export::step(const ExportInput& input, MonoTime now) {
  now_ = now;
  Actions out;
  if (is_over()) return out;
  if (!std::exchange(started_, true)) {
    began_ = connect_at_ = last_answer_ = now;
    become(State::kConnecting);
  }
  std::visit([&](const auto& in) { on(in, out); }, input);
  return out;
}

milliseconds Export::in_state() const { return since(since_, now_); }

milliseconds Export::paused_for(MonoTime now) const {
  return held_ + (holds_ ? since(held_since_, now) : milliseconds(0));
}

void Export::become(State state) {
  state_ = state;
  since_ = now_;
}

void Export::hold(bool on, Actions& out) {
  if (holds_ == on) return;
  holds_ = on;
  if (on)
    held_since_ = now_;
  else
    held_ += since(held_since_, now_);
  out.push_back(on ? ExportAction::kHold : ExportAction::kRelease);
}

void Export::end(State state, std::string message, Actions& out) {
  message_ = std::move(message);
  if (connected_) out.push_back(ExportAction::kClose);
  connected_ = false;
  hold(false, out);
  become(state);
}

// The target may have the slots. Nothing is written to them here until that is known.
void Export::resolve(std::string why, Actions& out) {
  message_ = std::move(why);
  if (connected_) out.push_back(ExportAction::kClose);
  connected_ = false;
  next_ask_ = now_;
  become(State::kResolving);
}

void Export::on(const from::Opened&, Actions& out) {
  if (state_ == State::kConnecting) out.push_back(ExportAction::kEstablish);
}

void Export::on(const from::Answer& in, Actions& out) {
  last_answer_ = now_;
  if (!in.error.empty()) {
    if (state_ == State::kCommitting) return commit_refused(in.error, out);
    if (state_ == State::kConnecting && in.error.starts_with(kBusy) &&
        since(began_, now_) < kConnectMost) {
      // The target is still removing keys that it had of these slots before.
      if (connected_) out.push_back(ExportAction::kClose);
      connected_ = false;
      message_ = in.error;
      connect_at_ = MonoTime(now_.us + microseconds(kConnectAgain).count());
      return;
    }
    return end(State::kFailed, "the target refused: " + in.error, out);
  }
  if (state_ == State::kConnecting) {
    message_.clear();
    become(State::kSnapshot);
  } else if (state_ == State::kCommitting) {
    become(State::kClaimed);
  }
}

void Export::commit_refused(const std::string& error, Actions& out) {
  // Somebody took a later epoch in between. The target has not taken the slots: once more.
  if (error.starts_with(kStale) && reservations_ < kReservationsMost) {
    become(State::kReserving);
    out.push_back(ExportAction::kReserve);
    return;
  }
  end(State::kFailed, "the target did not take the slots: " + error, out);
}

void Export::on(const from::Closed& in, Actions& out) {
  connected_ = false;
  if (is_handed_over()) {
    if (state_ == State::kCommitting) resolve("the link broke: " + in.why, out);
    return;
  }
  end(State::kFailed, "the link to the target broke: " + in.why, out);
}

void Export::on(const from::Progress& in, Actions& out) {
  switch (state_) {
    case State::kSnapshot:
    case State::kStreaming:
      if (in.lag_bytes > kBacklogMost)
        hold(true, out);
      else if (in.lag_bytes < kBacklogResume)
        hold(false, out);
      if (state_ == State::kSnapshot) {
        if (!in.walked) return;
        become(State::kStreaming);
      }
      if (in.lag_bytes <= settings_.handoff_lag_bytes || in_state() >= kStreamingMost) {
        hold(true, out);
        become(State::kPaused);
      }
      break;
    case State::kPaused:
      // A write that ran before the pause may still be in a transaction.
      if (!in.walked || in.lag_bytes > 0 || !in.is_idle) return;
      become(State::kReserving);
      out.push_back(ExportAction::kReserve);
      break;
    default: break;
  }
}

void Export::on(const from::Reserved& in, Actions& out) {
  if (state_ != State::kReserving) return;
  if (in.epoch == 0)
    return end(State::kFailed,
               "no epoch could be reserved: the majority is not heard, or nodes.conf not written",
               out);
  ++reservations_;
  epoch_ = in.epoch;
  become(State::kCommitting);
  last_answer_ = now_;
  out.push_back(ExportAction::kCommit);
}

void Export::on(const from::Cluster& in, Actions& out) {
  target_failed_ = in.target_failed;
  if (in.owner != from::Owner::kOther) return;
  if (is_handed_over()) return end(State::kSuccess, "", out);
  end(State::kFailed, "slots went to another node", out);
}

void Export::on(const from::Told& in, Actions& out) {
  if (state_ != State::kResolving) return;
  next_ask_ = MonoTime(now_.us + microseconds(kAskAgain).count());
  if (in.verdict == from::Verdict::kTaken) {
    become(State::kClaimed);
  } else if (in.verdict == from::Verdict::kNotTaken) {
    end(State::kFailed, "the target did not take the slots: " + message_, out);
  }
}

void Export::on(const from::Fenced& in, Actions& out) {
  if (state_ != State::kFencing) return;
  if (in.ok) return end(State::kFailed, "the target failed during the hand-over", out);
  next_ask_ = now_;
  become(State::kResolving);
}

void Export::on(const from::Cancel&, Actions& out) {
  if (!is_handed_over()) end(State::kCancelled, "", out);
}

void Export::on(const from::Spoiled& in, Actions& out) {
  if (!is_handed_over()) end(State::kFailed, in.why, out);
}

void Export::on(const from::Tick&, Actions& out) {
  const bool is_silent = since(last_answer_, now_) > settings_.silence;
  switch (state_) {
    case State::kConnecting:
      if (!connected_ && now_ >= connect_at_) {
        connected_ = true;
        out.push_back(ExportAction::kConnect);
      } else if (connected_ && is_silent) {
        end(State::kFailed, "the target does not answer", out);
      }
      break;
    case State::kSnapshot:
    case State::kStreaming:
      if (is_silent) end(State::kFailed, "the target does not answer", out);
      break;
    case State::kPaused:
      if (in_state() > settings_.pause_timeout)
        end(State::kFailed, "the target did not catch up within the pause of writes", out);
      break;
    case State::kReserving:
      if (in_state() > settings_.pause_timeout)
        end(State::kFailed, "the disk was too slow for a hand-over", out);
      break;
    case State::kCommitting:
      if (in_state() > settings_.pause_timeout) resolve("no answer to the hand-over", out);
      break;
    case State::kResolving:
    case State::kClaimed:
      if (target_failed_) {
        become(State::kFencing);
        out.push_back(ExportAction::kFence);
      } else if (state_ == State::kResolving && now_ >= next_ask_) {
        next_ask_ = MonoTime(now_.us + microseconds(seconds(5)).count());  // unless it is answered
        out.push_back(ExportAction::kAsk);
      }
      break;
    default: break;
  }
}

}  // namespace hearth::cluster::migration
