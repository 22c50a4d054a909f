// FigureWatch: which figures move while a test does something.
//
//   FigureWatch watch;
//   watch.look(*engine.services().info);
//   server.run("GET", "none");
//   watch.look(*engine.services().info);
//   CHECK(watch.has_moved("keyspace_misses"));
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "src/command/info_control.h"
#include "src/metrics/figures.h"

namespace hearth::test {

class FigureWatch final : public FigureView {
 public:
  // Compares every figure with the first look at this server.
  void look(InfoControl& source) {
    for (const InfoControl::Section& section : source.sections()) source.write(section, *this);
    first_look_ = false;
  }
  // The next look is the first one at another server.
  void begin() {
    first_.clear();
    first_look_ = true;
  }

  [[nodiscard]] const std::map<std::string, FigureKind, std::less<>>& rows() const { return rows_; }
  [[nodiscard]] bool has_moved(std::string_view row) const { return moved_.contains(row); }

  // FigureView
  void begin_section(std::string_view) override {}
  void add(const FigureInfo& info, const FigureValue& value) override {
    rows_.emplace(info.name, info.kind);
    note(std::string(info.name), std::string(info.name), value);
  }
  void begin_family(const FigureInfo& info) override {
    rows_.emplace(info.name, info.kind);
    family_ = info.name;
  }
  void begin_member(std::string_view label) override { member_ = family_ + std::string(label); }
  void add_part(std::string_view name, const FigureValue& value) override {
    note(family_, member_ + ":" + std::string(name), value);
  }
  void end_member() override {}

 private:
  using Seen = std::tuple<FigureValue::Form, std::int64_t, double, std::string>;

  void note(const std::string& row, std::string line, const FigureValue& value) {
    Seen seen{value.form(), value.integer(), value.decimal(), value.text()};
    const auto [at, is_new] = first_.emplace(std::move(line), seen);
    if (is_new ? !first_look_ : at->second != seen) moved_.insert(row);
  }

  std::map<std::string, FigureKind, std::less<>> rows_;
  std::map<std::string, Seen> first_;
  std::set<std::string, std::less<>> moved_;
  std::string family_, member_;
  bool first_look_ = true;
};

}  // namespace hearth::test
