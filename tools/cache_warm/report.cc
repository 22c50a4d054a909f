#include "tools/cache_warm/report.h"

#include <algorithm>

namespace hearth::warm {

void MappingTally::add(const MappingTally& other) {
  rows_read += other.rows_read;
  rows_stored += other.rows_stored;
  rows_bad += other.rows_bad;
  rows_expired += other.rows_expired;
  rows_skipped += other.rows_skipped;
  keys_written += other.keys_written;
  keys_deleted += other.keys_deleted;
  keys_kept += other.keys_kept;
  bytes += other.bytes;
  rows_resumed += other.rows_resumed;
  rows_hot += other.rows_hot;
  rows_again += other.rows_again;
  keys_same += other.keys_same;
  keys_missing += other.keys_missing;
  keys_different += other.keys_different;
  keys_orphaned += other.keys_orphaned;
  keys_repaired += other.keys_repaired;
}

MappingTally LoadReport::total() const {
  MappingTally sum;
  for (const auto& one : mappings) sum.add(one);
  return sum;
}

std::uint64_t LoadReport::unconfirmed() const {
  const MappingTally sum = total();
  return sum.rows_read - sum.rows_stored - sum.rows_bad - sum.rows_expired - sum.rows_skipped;
}

}  // namespace hearth::warm
