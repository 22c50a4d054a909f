// Histories: the accesses of concurrent clients to one register, and whether a register could have
// answered so.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace hearth::test {

// Times are of one clock. Every written value is different and above 0; 0 is a register that nobody
// has written.
struct RegisterAccess {
  bool is_write = false;
  long long value = 0;
  std::int64_t begun = 0;
  std::int64_t ended = 0;
  bool is_open = false;  // a write whose outcome is not known: it may take effect at any later time
};

// Empty if there is an order of all accesses that keeps to their times, and in which every read
// finds the write before it (linearizability). Otherwise what contradicts it. O(n log n).
//
// Source: Gibbons, Korach, "Testing Shared Memories", 1997: a value's zone lies between the first
// end and the last beginning of its accesses. Where the end comes first the register must hold the
// value throughout the zone, so two such zones may not overlap, nor may one contain the zone of a
// value whose accesses could all be at one moment.
inline std::string contradiction_in(const std::vector<RegisterAccess>& accesses) {
  constexpr auto kBefore = std::numeric_limits<std::int64_t>::min();
  constexpr auto kNever = std::numeric_limits<std::int64_t>::max();
  struct Zone {
    long long value = 0;
    bool is_written = false;
    std::int64_t write_begun = kBefore;
    std::int64_t first_end = kNever;
    std::int64_t last_begin = kBefore;
    bool is_seen = false;
  };
  std::map<long long, Zone> zones;
  zones[0] = {0, true, kBefore, kBefore, kBefore, true};
  const auto extend = [&](Zone& zone, const RegisterAccess& access) {
    zone.first_end = std::min(zone.first_end, access.is_open ? kNever : access.ended);
    zone.last_begin = std::max(zone.last_begin, access.begun);
    zone.is_seen |= !access.is_open;
  };
  const auto name = [](long long value) { return "the value " + std::to_string(value); };
  for (const auto& access : accesses) {
    if (!access.is_write) continue;
    Zone& zone = zones[access.value];
    if (zone.is_written) return name(access.value) + " was written twice";
    zone.value = access.value;
    zone.is_written = true;
    zone.write_begun = access.begun;
    extend(zone, access);
  }
  for (const auto& access : accesses) {
    if (access.is_write) continue;
    const auto found = zones.find(access.value);
    if (found == zones.end()) return name(access.value) + " was read and never written";
    if (access.ended < found->second.write_begun)
      return name(access.value) + " was read before it was written";
    extend(found->second, access);
  }
  std::vector<Zone> held;
  for (const auto& [value, zone] : zones) {
    if (zone.is_seen && zone.first_end < zone.last_begin) held.push_back(zone);
  }
  std::sort(held.begin(), held.end(),
            [](const Zone& a, const Zone& b) { return a.first_end < b.first_end; });
  for (std::size_t i = 1; i < held.size(); ++i) {
    if (held[i].first_end < held[i - 1].last_begin) {
      return name(held[i].value) + " was there at " + std::to_string(held[i].first_end) + ", and " +
             name(held[i - 1].value) + " from " + std::to_string(held[i - 1].first_end) + " to " +
             std::to_string(held[i - 1].last_begin);
    }
  }
  for (const auto& [value, zone] : zones) {
    if (!zone.is_seen || zone.first_end < zone.last_begin) continue;
    const auto after = std::lower_bound(
        held.begin(), held.end(), zone.last_begin,
        [](const Zone& one, std::int64_t moment) { return one.first_end < moment; });
    if (after == held.begin()) continue;
    const Zone& around = *(after - 1);
    if (around.last_begin > zone.first_end) {
      return name(value) + " was written between " + std::to_string(zone.last_begin) + " and " +
             std::to_string(zone.first_end) + ", and " + name(around.value) + " was there from " +
             std::to_string(around.first_end) + " to " + std::to_string(around.last_begin);
    }
  }
  return {};
}

}  // namespace hearth::test
