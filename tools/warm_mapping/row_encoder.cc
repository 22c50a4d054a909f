#include "tools/warm_mapping/row_encoder.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/base/hash.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kEndedGroupsMax = 65'536;
// One huge row must not pin its memory for ever.
constexpr std::size_t kCommandsKept = 4 << 20;

}  // namespace

Result<RowEncoder> RowEncoder::bind(const Mapping& mapping, const std::vector<Column>& columns) {
  RowEncoder encoder(mapping);
  for (const auto& output : mapping.outputs) {
    HEARTH_TRY(auto bound, OutputEncoder::bind(mapping, output, columns));
    encoder.outputs_.push_back(std::move(bound));
  }
  if (mapping.group) {
    encoder.group_key_ = mapping.outputs.front().key;
    HEARTH_TRY_VOID(encoder.group_key_.bind(columns));
  }
  if (!mapping.delete_if.empty()) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& column) {
      return column.name == mapping.delete_if;
    });
    if (found == columns.end()) {
      return fail(ErrorCode::kInvalid, fmt::format("mapping '{}': the rows have no column '{}'",
                                                   mapping.name, mapping.delete_if));
    }
    encoder.delete_column_ = static_cast<std::size_t>(found - columns.begin());
  }
  return encoder;
}

const Unit* RowEncoder::encode(Row row, std::uint64_t number, UnixMillis now) {
  if (!mapping_->group) {
    begin(row, number, now);
    return complete();
  }
  if (is_open_ && is_of_open_group(row)) {
    ++open_.rows;
    for (auto& output : outputs_) output.add(row);
    return nullptr;
  }
  const Unit* done = is_open_ ? complete() : nullptr;
  begin(row, number, now);
  is_open_ = true;
  return done;
}

const Unit* RowEncoder::finish() {
  if (!is_open_) return nullptr;
  is_open_ = false;
  return complete();
}

// Rows without a key (NULL in it) are groups of their own.
bool RowEncoder::is_of_open_group(Row row) {
  probe_.clear();
  return group_key_.render(row, probe_) < 0 && open_key_.size() > 0 &&
         probe_.view() == open_key_.view();
}

void RowEncoder::begin(Row row, std::uint64_t number, UnixMillis now) {
  open_ = Unit{};
  open_.first_row = number;
  open_.rows = 1;
  const bool is_deleted = delete_column_ && is_truthy(row[*delete_column_]);
  for (auto& output : outputs_) output.begin(row, is_deleted, now);
  if (!mapping_->group) return;
  open_key_.clear();
  if (group_key_.render(row, open_key_) >= 0) open_key_.clear();
}

bool RowEncoder::was_seen() {
  if (!mapping_->group || open_key_.size() == 0) return false;
  const std::uint64_t hash = hash_bytes(open_key_.view(), 0);
  if (!ended_.insert(hash).second) return true;
  ended_order_.push_back(hash);
  if (ended_order_.size() > kEndedGroupsMax) {
    ended_.erase(ended_order_.front());
    ended_order_.pop_front();
  }
  return false;
}

const Unit* RowEncoder::complete() {
  using State = OutputEncoder::State;
  if (commands_.size() > kCommandsKept) commands_ = Buffer();
  commands_.clear();
  writes_.clear();
  unit_ = open_;
  std::size_t expired = 0;
  const auto reject = [&](const OutputEncoder& output, std::string problem) {
    problem_ = std::move(problem);
    unit_.outcome = RowOutcome::kBad;
    unit_.key = output.key();
    unit_.problem = problem_;
    return &unit_;
  };
  if (unit_.rows > kGroupRowsMax)
    return reject(outputs_.front(), fmt::format("more than {} rows have this key", kGroupRowsMax));
  if (was_seen()) {
    return reject(outputs_.front(),
                  "the rows with this key do not stand next to each other: the query needs ORDER "
                  "BY");
  }
  for (auto& output : outputs_) {
    if (output.state() == State::kStore || output.state() == State::kDelete)
      output.finish(commands_, with_fingerprints_);
    if (output.state() == State::kBad) return reject(output, output.problem());
    if (output.state() == State::kExpired) ++expired;
  }
  for (const auto& output : outputs_) {
    if (output.state() == State::kStore || output.state() == State::kDelete)
      writes_.push_back(output.write(commands_.view()));
  }
  unit_.writes = writes_;
  unit_.outcome = !writes_.empty()             ? RowOutcome::kEncoded
                  : expired == outputs_.size() ? RowOutcome::kExpired
                                               : RowOutcome::kSkipped;
  return &unit_;
}

}  // namespace hearth::warm
