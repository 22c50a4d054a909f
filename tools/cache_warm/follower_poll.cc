// The part of `follow` that looks at tables instead of reading a change stream.
#include <fmt/core.h>

#include <algorithm>

#include "tools/cache_warm/follower.h"
#include "tools/cache_warm/follower_session.h"

namespace hearth::warm {
namespace {

// Whether values depend on the order of the rows, which only the query's text tells.
bool loses_order(const Mapping& mapping) {
  if (mapping.selection.sql.empty() || !mapping.selection.order.empty() || mapping.follow.is_off)
    return false;
  return std::any_of(mapping.outputs.begin(), mapping.outputs.end(), [](const Output& output) {
    return output.needs_group() || output.value == ValueKind::kList;
  });
}

}  // namespace

Result<void> Follower::make_pollers() {
  const bool is_mysql =
      plan_.source.url.starts_with("mysql:") || plan_.source.url.starts_with("mariadb:");
  for (std::size_t i = 0; i < plan_.mappings.size(); ++i) {
    const Mapping& mapping = plan_.mappings[i];
    if (is_mysql && !has_begun_ && loses_order(mapping)) {
      progress_.print(
          fmt::format("note: mapping '{}': MariaDB and MySQL forget the order of a query when the "
                      "rows of one key are read again; order_by keeps it",
                      mapping.name));
    }
    if (mapping.follow.poll.empty()) continue;
    HEARTH_TRY(auto poller, Poller::make(mapping, is_mysql ? '`' : '"'));
    session_->pollers.emplace_back(i, std::move(poller));
    if (!has_begun_ && mapping.delete_if.empty())
      progress_.print(
          fmt::format("note: mapping '{}': a look at column '{}' does not see rows that "
                      "are deleted; delete_if names a column that tells of them",
                      mapping.name, mapping.follow.poll));
  }
  return {};
}

// Before a load the greatest values are noted, so that nothing between is missed.
Result<void> Follower::set_pollers(bool will_load) {
  Session& s = *session_;
  for (auto& [index, poller] : s.pollers) {
    const std::string& name = plan_.mappings[index].name;
    const auto saved = s.state.polls.find(name);
    if (will_load) {
      HEARTH_TRY_VOID(poller.begin(*s.finder, clock_.mono_now()));
    } else {
      HEARTH_TRY_VOID(
          poller.resume(saved == s.state.polls.end() ? "" : saved->second, clock_.mono_now()));
    }
    s.state.polls[name] = poller.saved();
  }
  s.polls = s.state.polls;
  return {};
}

Result<void> Follower::poll_tables() {
  Session& s = *session_;
  for (auto& [index, poller] : s.pollers) {
    if (!poller.is_due(clock_.mono_now())) continue;
    const std::size_t mapping = index;
    HEARTH_TRY_VOID(poller.look(
        *s.finder, clock_.unix_now(), clock_.mono_now(),
        [&](const Unit& unit) -> Result<void> { return s.machine->put(mapping, unit); }));
    // Rows that a look found are stored before the next one leaves them out.
    HEARTH_TRY_VOID(s.sink->finish(std::nullopt));
    s.polls[plan_.mappings[index].name] = poller.saved();
  }
  return {};
}

}  // namespace hearth::warm
