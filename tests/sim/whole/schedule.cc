#include "tests/sim/whole/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "tests/sim/options.h"

namespace hearth::sim {
namespace {

using Kind = Fault::Kind;

struct KindRow {
  Kind kind;
  std::string_view name;
  int weight;
};
constexpr KindRow kKinds[] = {
    {Kind::kCrash, "crash", 3},         {Kind::kStart, "start", 5},
    {Kind::kSplit, "split", 2},         {Kind::kCut, "cut", 2},
    {Kind::kHeal, "heal", 4},           {Kind::kPause, "pause", 2},
    {Kind::kFailover, "failover", 3},   {Kind::kDrift, "drift", 1},
    {Kind::kJump, "jump", 1},           {Kind::kSlowDisk, "slow disk", 2},
    {Kind::kFullDisk, "full disk", 1},  {Kind::kMove, "move", 4},
    {Kind::kAddress, "new address", 1},
};

Fault random_fault(Rng& rng, int nodes) {
  int all = 0;
  for (const KindRow& row : kKinds) all += row.weight;
  auto left = static_cast<int>(rng.below(static_cast<std::uint64_t>(all)));
  const KindRow* row = kKinds;
  for (; left >= row->weight; ++row) left -= row->weight;
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(n)));
  };
  Fault fault;
  fault.kind = row->kind;
  fault.node = static_cast<int>(below(nodes));
  fault.other = static_cast<int>(below(nodes));
  switch (fault.kind) {
    case Kind::kSplit: fault.amount = below(std::int64_t{1} << nodes); break;
    case Kind::kPause: fault.amount = below(5'000); break;
    case Kind::kDrift: fault.amount = below(200) - 100; break;
    case Kind::kJump: fault.amount = below(20'000) - 10'000; break;
    case Kind::kSlowDisk:
    case Kind::kFullDisk: fault.amount = below(2); break;
    case Kind::kMove: fault.amount = 1 + below(3'000); break;
    case Kind::kAddress: fault.amount = 1 + below(200); break;
    default: break;
  }
  fault.then_ms = below(3'000);
  return fault;
}

// The first slots of the node go to the other one, if both are primaries.
void move_slots(Trial& trial, const Fault& fault) {
  WholeCluster& c = trial.cluster;
  if (fault.node == fault.other || !c.is_up(fault.node) || !c.is_up(fault.other)) return;
  std::vector<std::string> words{"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE"};
  const cluster::SlotSet mine = c.view(fault.node)->me().slots;
  if (mine.empty()) return;
  const cluster::SlotRange range = mine.ranges().front();
  const std::int64_t last = std::min<std::int64_t>(range.first + fault.amount - 1, range.last);
  words.push_back(std::to_string(range.first));
  words.push_back(std::to_string(last));
  words.insert(words.end(), {"NODE", c.id(fault.other).str()});
  c.whole(fault.node).turn([&] { static_cast<void>(c.whole(fault.node).ask(words)); });
}

void apply(Trial& trial, const Fault& fault) {
  WholeCluster& c = trial.cluster;
  const int i = fault.node;
  switch (fault.kind) {
    case Kind::kCrash:
      // The process ends, not the machine: to lose a replica's memory too, and with it what its
      // disk did not have in time, is the loss of both copies.
      if (c.is_up(i)) c.slow_disk(i, false);
      return c.crash(i);
    case Kind::kStart:
      if (!c.is_up(i)) c.start(i);
      return;
    case Kind::kSplit: {
      std::vector<int> groups;
      for (int n = 0; n < trial.nodes(); ++n)
        groups.push_back(static_cast<int>((fault.amount >> n) & 1));
      return c.set_groups(groups);
    }
    case Kind::kCut:
      if (fault.other != i) c.cut(i, fault.other);
      return;
    case Kind::kHeal: return c.heal();
    case Kind::kPause: return c.pause(i, fault.amount);
    case Kind::kFailover:
      if (trial.is_replica(i)) c.admin(i, cluster::admin::Failover{});
      return;
    case Kind::kDrift: return c.set_clock_rate(i, 1 + static_cast<double>(fault.amount) / 1000);
    case Kind::kJump: c.node(i).clock_offset_ms += fault.amount; return;
    case Kind::kSlowDisk:
      if (c.is_up(i)) c.slow_disk(i, fault.amount != 0 && !c.node(i).disk_full);
      return;
    case Kind::kFullDisk:
      // Earlier writes are on it.
      if (c.is_up(i)) c.slow_disk(i, false);
      if (c.is_up(i)) c.fill_disk(i, fault.amount != 0);
      return;
    case Kind::kMove: return move_slots(trial, fault);
    case Kind::kAddress:
      if (c.is_up(i)) c.slow_disk(i, false);
      c.crash(i);
      c.node(i).ip = fmt::format("10.7.{}.{}", i, fault.amount);
      return c.start(i);
  }
}

}  // namespace

std::string Fault::str() const {
  const auto* row = std::find_if(std::begin(kKinds), std::end(kKinds),
                                 [this](const KindRow& r) { return r.kind == kind; });
  return fmt::format("{} node {} other {} amount {}, then {} ms", row->name, node, other, amount,
                     then_ms);
}

Schedule random_schedule(std::uint64_t seed, int faults, int nodes) {
  Rng rng(seed);
  Schedule schedule;
  for (int k = 0; k < faults; ++k) schedule.push_back(random_fault(rng, nodes));
  return schedule;
}

std::string play(std::uint64_t seed, const TrialOptions& options, const Schedule& schedule) {
  Trial trial(seed, options);
  if (!trial.failures.empty()) return trial.verdict();
  trial.cluster.faults = {0.01, 0.01, 1, 40};
  for (const Fault& fault : schedule) {
    apply(trial, fault);
    trial.cluster.log.push_back(fmt::format("{} -- {}", trial.cluster.now_ms(), fault.str()));
    trial.cluster.run_for(fault.then_ms);
  }
  trial.settle_and_check();
  if (!trial.failures.empty() && story_lines() > 0) trial.fail(trial.cluster.story(story_lines()));
  return trial.verdict();
}

Schedule shrunk(Schedule schedule, const std::function<bool(const Schedule&)>& fails, int most) {
  for (std::size_t piece = (schedule.size() + 1) / 2; piece > 0 && most > 0; piece /= 2) {
    for (std::size_t at = 0; at < schedule.size() && most > 0;) {
      Schedule fewer = schedule;
      const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      fewer.erase(first, first + static_cast<std::ptrdiff_t>(std::min(piece, fewer.size() - at)));
      --most;
      if (fails(fewer))
        schedule = std::move(fewer);
      else
        at += piece;
    }
  }
  return schedule;
}

std::string played_and_told(std::uint64_t seed, const TrialOptions& options,
                            const Schedule& schedule) {
  constexpr int kPlaysMost = 60;
  const std::string first = play(seed, options, schedule);
  if (first.empty()) return {};
  const auto fails = [&](const Schedule& s) { return !play(seed, options, s).empty(); };
  const Schedule least = shrunk(schedule, fails, kPlaysMost);
  std::string out = fmt::format("seed {}: {}\nshrunk to {} of {} faults:\n", seed, first,
                                least.size(), schedule.size());
  for (const Fault& fault : least) out += "  " + fault.str() + "\n";
  return out + play(seed, options, least);
}

}  // namespace hearth::sim
