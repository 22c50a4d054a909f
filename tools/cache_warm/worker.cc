#include "tools/cache_warm/worker.h"

#include <algorithm>
#include <utility>

namespace hearth::warm {
namespace {

// The clock, the interrupt and the error limit are looked at once in so many rows.
constexpr std::uint64_t kRowsPerLook = 256;
constexpr milliseconds kInterruptedDrain{5'000};
constexpr milliseconds kRateStep{50};

}  // namespace

void Worker::work() {
  while (job_.may_go_on() && !job_.has_lost_source()) {
    const auto task = job_.take_task();
    if (!task) break;
    if (!load_chunk(*task)) break;
  }
  const auto stop = job_.reason_to_stop();
  if (!stop || stop->end != LoadEnd::kTargetFailed) {
    const auto limit = stop ? std::optional(kInterruptedDrain) : std::nullopt;
    if (auto settled = settle(limit); !settled && !stop)
      stop_for(settled.error(), LoadEnd::kTargetFailed);
  }
  collect(mapping_);
  job_.may_go_on();  // refusals that came last may be too many
}

Result<void> Worker::settle(std::optional<milliseconds> limit) {
  HEARTH_TRY_VOID(consumer_.settle(limit));
  job_.settle_tasks(mapping_, std::exchange(unsettled_, 0));
  return {};
}

void Worker::stop_for(const Error& error, LoadEnd end) {
  job_.stop(error.code == ErrorCode::kBusy ? LoadEnd::kInterrupted : end, error.context);
}

// A connection that has ended does not end the load: the chunk is read again in another one. False.
bool Worker::fail_source(const ChunkTask& task, const Error& error) {
  if (error.code == ErrorCode::kBusy || !reader_.is_lost()) {
    stop_for(error, LoadEnd::kSourceFailed);
  } else {
    tally_.rows_again += row_ - rows_in_hand_;
    job_.lose_source(task, error.context);
  }
  return false;
}

void Worker::collect(std::size_t mapping) {
  tally_.add(consumer_.collect());
  job_.add(mapping, std::exchange(tally_, MappingTally{}));
}

// Rows that a stop leaves in hand were not read as far as the tallies are concerned. Differences
// may be below zero; their sum is not.
bool Worker::load_chunk(const ChunkTask& task) {
  const bool is_whole = read_chunk(task);
  tally_.rows_read -= std::exchange(rows_in_hand_, 0);
  return is_whole;
}

bool Worker::read_chunk(const ChunkTask& task) {
  // Answers are counted for the mapping that the worker is at.
  if (task.mapping != mapping_) {
    if (auto settled = settle(std::nullopt); !settled)
      return stop_for(settled.error(), LoadEnd::kTargetFailed), false;
    collect(mapping_);
    mapping_ = task.mapping;
  }
  const PreparedMapping& prepared = job_.mappings[task.mapping];
  const Mapping& mapping = *prepared.mapping;
  row_ = 0;
  auto stream = reader_.open(mapping.selection, task.chunk);
  if (!stream) return fail_source(task, stream.error());
  auto encoder = RowEncoder::bind(mapping, (*stream)->columns());
  if (!encoder) return job_.stop(LoadEnd::kSourceFailed, encoder.error().context), false;
  if (with_fingerprints_) encoder->want_fingerprints();
  has_primary_key_ = job_.rejects.has_file() && !mapping.group && !prepared.key_columns.empty();
  UnixMillis now = job_.clock.unix_now();
  for (;;) {
    auto row = (*stream)->next();
    if (!row) return fail_source(task, row.error());
    if (!*row) break;
    ++row_;
    ++tally_.rows_read;
    if (task.is_hot) ++tally_.rows_hot;
    ++rows_in_hand_;
    if (has_primary_key_) read_primary_key(**row);
    if (!take_unit(encoder->encode(**row, row_, now))) return false;
    if (row_ % kRowsPerLook != 0) {
      if (job_.rejects.count() > 0 && job_.rejects.is_too_many()) return job_.may_go_on();
      continue;
    }
    collect(mapping_);
    if (!job_.may_go_on()) return false;
    now = job_.clock.unix_now();
  }
  has_primary_key_ = false;
  if (!take_unit(encoder->finish())) return false;
  return settle_chunk(task);
}

bool Worker::settle_chunk(const ChunkTask& task) {
  ++unsettled_;
  if (job_.checkpoint == nullptr || task.is_hot) return collect(mapping_), true;
  if (auto settled = settle(std::nullopt); !settled)
    return stop_for(settled.error(), LoadEnd::kTargetFailed), false;
  collect(mapping_);
  if (auto written =
          job_.checkpoint->write_done(job_.plan.mappings[task.mapping].name, task.chunk, row_);
      !written) {
    return job_.stop(LoadEnd::kRefused, written.error().context), false;
  }
  return true;
}

void Worker::read_primary_key(Row row) {
  const auto& columns = job_.mappings[mapping_].key_columns;
  primary_key_.clear();
  for (const std::size_t index : columns) {
    Buffer text;
    if (!append_plain(text, row[index])) break;
    primary_key_.emplace_back(text.view());
  }
}

bool Worker::take_unit(const Unit* unit) {
  if (unit == nullptr) return true;
  if (unit->outcome == RowOutcome::kEncoded &&
      (job_.rate.is_limited() || job_.rates[mapping_]->is_limited()) && !wait_for_rate(*unit))
    return false;
  rows_in_hand_ -= unit->rows;
  switch (unit->outcome) {
    case RowOutcome::kExpired: tally_.rows_expired += unit->rows; return true;
    case RowOutcome::kSkipped: tally_.rows_skipped += unit->rows; return true;
    case RowOutcome::kBad:
      tally_.rows_bad += unit->rows;
      job_.rejects.add({job_.plan.mappings[mapping_].name, unit->first_row, unit->key,
                        unit->problem, has_primary_key_ ? &primary_key_ : nullptr});
      return true;
    case RowOutcome::kEncoded: break;
  }
  if (auto taken = consumer_.take(*unit, {mapping_, has_primary_key_ ? &primary_key_ : nullptr});
      !taken) {
    return stop_for(taken.error(), LoadEnd::kTargetFailed), false;
  }
  return true;
}

bool Worker::wait_for_rate(const Unit& unit) {
  std::uint64_t bytes = 0;
  for (const Write& write : unit.writes) bytes += write.bytes.size();
  for (Throttle* throttle : {&job_.rate, job_.rates[mapping_].get()}) {
    for (;;) {
      const milliseconds wait = throttle->take(unit.rows, bytes, job_.clock.mono_now());
      if (wait.count() == 0) break;
      collect(mapping_);
      if (!job_.may_go_on()) return false;
      if (auto idled = consumer_.idle(std::min(wait, kRateStep)); !idled)
        return stop_for(idled.error(), LoadEnd::kTargetFailed), false;
    }
  }
  return true;
}

}  // namespace hearth::warm
