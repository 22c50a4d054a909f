#include "tools/cache_warm/sender.h"

#include <fmt/core.h>

#include "cluster/model/slot.h"

namespace hearth::warm {

Result<void> Sender::take(const Unit& unit, const UnitOrigin& origin) {
  const std::uint64_t holder = first_tag_ + entries_.size() + unit.writes.size() - 1;
  for (const Write& write : unit.writes) {
    const bool is_holder = &write == &unit.writes.back();
    Entry& added = entries_.emplace_back();
    added.holder = holder;
    added.rows = is_holder ? unit.rows : 0;
    added.first_row = unit.first_row;
    added.mapping = static_cast<std::uint32_t>(origin.mapping);
    added.is_delete = write.is_delete;
    added.only_if_absent = write.only_if_absent;
    if (is_holder && origin.primary_key != nullptr)
      added.primary_key = std::make_unique<std::vector<std::string>>(*origin.primary_key);
  }
  std::uint64_t tag = holder - unit.writes.size() + 1;
  for (const Write& write : unit.writes) {
    tally_.bytes += write.bytes.size();
    if (job_.slots != nullptr && !job_.slots->test(write.slot)) {
      on_done(tag++);
      continue;
    }
    client::Operation operation;
    operation.bytes = write.bytes;
    operation.key = write.key;
    operation.slot = write.slot;
    operation.tag = tag++;
    HEARTH_TRY_VOID(sink_->put(operation));
  }
  return {};
}

void Sender::on_done(std::uint64_t tag) {
  Entry& done = entry(tag);
  (done.is_delete ? tally_.keys_deleted : tally_.keys_written) += 1;
  end(done);
}

void Sender::on_kept(std::uint64_t tag) {
  ++tally_.keys_kept;
  end(entry(tag));
}

// A holder cannot have left the queue before the writes in front of it are answered, so a unit that
// is found bad late is still known.
void Sender::on_refused(std::uint64_t tag, std::string_view key, std::string_view error) {
  Entry& refused = entry(tag);
  if (refused.only_if_absent && error.starts_with("BUSYKEY")) return on_kept(tag);
  if (error.starts_with("NOWARM")) {
    // It is sent again in another epoch, with the other keys of its slot.
    job_.lose_slot(cluster::slot_of(key));
    return on_kept(tag);
  }
  Entry& holder = entry(refused.holder);
  if (!holder.is_bad) {
    holder.is_bad = true;
    tally_.rows_bad += holder.rows;
    // Counts may be below zero between two collections; their sum is not.
    if (holder.is_done) tally_.rows_stored -= holder.rows;
    job_.rejects.add({job_.plan.mappings[refused.mapping].name, refused.first_row, key,
                      fmt::format("the server refused it: {}", error), holder.primary_key.get()});
  }
  end(refused);
}

void Sender::end(Entry& ended) {
  ended.is_done = true;
  if (ended.rows > 0 && !ended.is_bad) tally_.rows_stored += ended.rows;
  while (!entries_.empty() && entries_.front().is_done) {
    entries_.pop_front();
    ++first_tag_;
  }
}

}  // namespace hearth::warm
