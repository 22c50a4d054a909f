// WarmReadiness: decides when a node that started without data serves. A state machine: time and
// reports come in; nobody is called.
//
//   cold -> warming   a loader tells of a mapping
//   any  -> ready     for good: by enough rows, by all mappings, at the deadline, by an operator,
//                     because the gate is off, or because the data came from elsewhere (the disk,
//                     the primary)
//
// A loader tells of all its mappings before the first of them is done. The fraction that counts is
// that of the rows where every total is known, else the mean of the mappings'; below 1 until every
// mapping was said to be done, because totals are estimates.
#pragma once

#include <string_view>
#include <vector>

#include "src/command/warm_gate_control.h"

namespace hearth {

class WarmReadiness {
 public:
  struct Rule {
    bool is_on = false;
    double fraction = 1;
    seconds deadline{300};
  };
  enum class Reason : std::uint8_t {
    kNotReady,
    kGateOff,
    kOwnData,
    kPrimary,
    kRows,
    kDeadline,
    kOperator,
  };

  WarmReadiness(const Rule& rule, MonoTime now);

  // A gate that is switched off opens; one that is switched on later stays as it is.
  void set_rule(const Rule& rule);
  // The data set is loaded: the deadline counts from now on.
  void serve(bool has_data, MonoTime now);
  void become_ready(Reason reason);
  // False: too many mappings.
  [[nodiscard]] bool report(std::string_view name, std::uint64_t done,
                            std::optional<std::uint64_t> total);
  [[nodiscard]] bool finish(std::string_view name);
  void finish_all();
  void pass_time(MonoTime now);

  [[nodiscard]] bool is_ready() const { return reason_ != Reason::kNotReady; }
  [[nodiscard]] Reason reason() const { return reason_; }
  [[nodiscard]] WarmState state() const;
  [[nodiscard]] double fraction() const;
  [[nodiscard]] seconds left(MonoTime now) const;
  [[nodiscard]] const std::vector<WarmMapping>& mappings() const { return mappings_; }

 private:
  [[nodiscard]] WarmMapping* find(std::string_view name);
  void judge();

  Rule rule_;
  MonoTime since_;
  Reason reason_ = Reason::kNotReady;
  std::vector<WarmMapping> mappings_;
};

// In a few words, for people: "every row that was asked for".
[[nodiscard]] std::string_view reason_text(WarmReadiness::Reason reason);
// In one word, for programs: "rows".
[[nodiscard]] std::string_view reason_word(WarmReadiness::Reason reason);

}  // namespace hearth
