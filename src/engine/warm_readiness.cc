#include "src/engine/warm_readiness.h"

#include <algorithm>

namespace hearth {
namespace {

// Of a mapping, or of all, that nobody has said to be done.
constexpr double kNotQuiteAll = 0.9999;

double share(std::uint64_t done, std::uint64_t total) {
  return total == 0 ? 0 : static_cast<double>(std::min(done, total)) / static_cast<double>(total);
}

}  // namespace

WarmReadiness::WarmReadiness(const Rule& rule, MonoTime now) : rule_(rule), since_(now) {
  if (!rule_.is_on) reason_ = Reason::kGateOff;
}

void WarmReadiness::set_rule(const Rule& rule) {
  rule_ = rule;
  if (!rule_.is_on) become_ready(Reason::kGateOff);
  judge();
}

void WarmReadiness::serve(bool has_data, MonoTime now) {
  since_ = now;
  if (has_data) become_ready(Reason::kOwnData);
}

void WarmReadiness::become_ready(Reason reason) {
  if (!is_ready()) reason_ = reason;
}

WarmMapping* WarmReadiness::find(std::string_view name) {
  const auto at = std::find_if(mappings_.begin(), mappings_.end(),
                               [&](const WarmMapping& m) { return m.name == name; });
  if (at != mappings_.end()) return &*at;
  if (mappings_.size() >= WarmGateControl::kMappingsMost) return nullptr;
  WarmMapping& fresh = mappings_.emplace_back();
  fresh.name = name;
  return &fresh;
}

bool WarmReadiness::report(std::string_view name, std::uint64_t done,
                           std::optional<std::uint64_t> total) {
  WarmMapping* mapping = find(name);
  if (mapping == nullptr) return false;
  mapping->state = WarmState::kWarming;
  mapping->done = done;
  mapping->total = total;
  judge();
  return true;
}

bool WarmReadiness::finish(std::string_view name) {
  WarmMapping* mapping = find(name);
  if (mapping == nullptr) return false;
  mapping->state = WarmState::kReady;
  judge();
  return true;
}

void WarmReadiness::finish_all() {
  for (WarmMapping& mapping : mappings_) mapping.state = WarmState::kReady;
  become_ready(Reason::kRows);
}

void WarmReadiness::pass_time(MonoTime now) {
  if (!is_ready() && now - since_ >= rule_.deadline) become_ready(Reason::kDeadline);
}

void WarmReadiness::judge() {
  if (!is_ready() && !mappings_.empty() && fraction() >= rule_.fraction)
    become_ready(Reason::kRows);
}

WarmState WarmReadiness::state() const {
  if (is_ready()) return WarmState::kReady;
  return mappings_.empty() ? WarmState::kCold : WarmState::kWarming;
}

double WarmReadiness::fraction() const {
  if (mappings_.empty()) return is_ready() ? 1 : 0;
  double done = 0, total = 0, mean = 0;
  bool are_done = true, are_known = true;
  for (const WarmMapping& mapping : mappings_) {
    const bool is_done = mapping.state == WarmState::kReady;
    are_done = are_done && is_done;
    are_known = are_known && (mapping.total.has_value() || is_done);
    const std::uint64_t rows = mapping.total.value_or(mapping.done);
    const double part = is_done ? 1 : mapping.total ? share(mapping.done, rows) : 0;
    done += part * static_cast<double>(rows);
    total += static_cast<double>(rows);
    mean += part / static_cast<double>(mappings_.size());
  }
  if (are_done) return 1;
  return std::min(kNotQuiteAll, are_known && total > 0 ? done / total : mean);
}

seconds WarmReadiness::left(MonoTime now) const {
  const microseconds left = rule_.deadline - (now - since_);
  return std::max(seconds{0}, std::chrono::ceil<seconds>(left));
}

std::string_view reason_text(WarmReadiness::Reason reason) {
  using Reason = WarmReadiness::Reason;
  switch (reason) {
    case Reason::kNotReady: break;
    case Reason::kGateOff: return "warm-gate is off";
    case Reason::kOwnData: return "its data was on the disk";
    case Reason::kPrimary: return "its primary is ready";
    case Reason::kRows: return "as many rows are loaded as it waits for";
    case Reason::kDeadline: return "warm-gate-deadline has passed";
    case Reason::kOperator: return "an operator said WARM OPEN";
  }
  return "";
}

std::string_view reason_word(WarmReadiness::Reason reason) {
  using Reason = WarmReadiness::Reason;
  switch (reason) {
    case Reason::kNotReady: break;
    case Reason::kGateOff: return "off";
    case Reason::kOwnData: return "own-data";
    case Reason::kPrimary: return "primary";
    case Reason::kRows: return "rows";
    case Reason::kDeadline: return "deadline";
    case Reason::kOperator: return "operator";
  }
  return "";
}

}  // namespace hearth
