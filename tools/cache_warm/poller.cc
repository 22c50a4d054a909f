#include "tools/cache_warm/poller.h"

#include <fmt/core.h>

#include <algorithm>

#include "src/base/parse_number.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kSeenMax = 4'096;

std::string select_of(const Selection& selection, std::string_view columns,
                      std::string_view condition, char quote) {
  Selection plain = selection;
  plain.order.clear();
  if (!selection.sql.empty()) return query_text(plain, columns, condition, quote);
  return select_text(plain, columns, quoted_table(selection.table, quote), condition, quote);
}

// As SQL takes it: a blank between date and time, and no zone, which the session has set to UTC.
std::string sql_time(std::string_view text) {
  std::string out(text);
  if (const auto t = out.find('T'); t != std::string::npos) out[t] = ' ';
  if (out.ends_with('Z')) out.pop_back();
  return out;
}

}  // namespace

Result<Poller> Poller::make(const Mapping& mapping, char quote) {
  if (mapping.group) {
    return fail(ErrorCode::kInvalid,
                fmt::format("mapping '{}' cannot be polled: several rows make one value, and a "
                            "look reads only those that changed",
                            mapping.name));
  }
  return Poller(mapping, quote);
}

Result<std::optional<Poller::Value>> Poller::greatest(RowFinder& finder) {
  Selection selection;
  selection.sql = select_of(
      mapping_->selection,
      fmt::format("max({}) AS greatest", quoted_name(mapping_->follow.poll, quote_)), "", quote_);
  std::optional<Value> value;
  HEARTH_TRY_VOID(finder.read_rows(selection, [&](Row row) -> Result<void> {
    if (row.empty() || row[0].is_null()) return {};
    Buffer text;
    if (!append_plain(text, row[0])) return {};
    const CellType type = row[0].type;
    const bool is_number = type == CellType::kInteger || type == CellType::kUnsigned;
    const bool is_time = type == CellType::kTimestamp || type == CellType::kTimestampTz;
    value = Value{is_number, is_time ? sql_time(text.view()) : std::string(text.view())};
    return {};
  }));
  return value;
}

Selection Poller::changed_since(const Value& value) const {
  Selection selection = mapping_->selection;
  const std::string condition = fmt::format("{} >= {}", quoted_name(mapping_->follow.poll, quote_),
                                            value.is_number ? value.text : sql_string(value.text));
  if (selection.sql.empty()) {
    selection.where = selection.where.empty()
                          ? condition
                          : fmt::format("({}\n) AND {}", selection.where, condition);
  } else {
    selection.sql = select_of(selection, "*", condition, quote_);
  }
  return selection;
}

Result<void> Poller::begin(RowFinder& finder, MonoTime now) {
  seen_.clear();
  HEARTH_TRY(const auto value, greatest(finder));
  if (value) seen_.push_back({now, *value});
  due_ = now;
  return {};
}

Result<void> Poller::resume(const std::string& saved, MonoTime now) {
  seen_.clear();
  due_ = now;
  if (saved.empty()) return {};
  const Value value{saved.starts_with("number:"),
                    saved.substr(std::min<std::size_t>(saved.find(':') + 1, saved.size()))};
  if (value.is_number && !parse_int64(value.text) && !parse_uint64(value.text))
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is no value of a poll", saved));
  seen_.push_back({now, value});
  return {};
}

std::string Poller::saved() const {
  if (seen_.empty()) return "";
  const Value& value = seen_.front().greatest;
  return (value.is_number ? "number:" : "text:") + value.text;
}

void Poller::forget_old(MonoTime now) {
  while (seen_.size() > 1 &&
         (now - seen_[1].at >= mapping_->follow.overlap || seen_.size() > kSeenMax))
    seen_.pop_front();
}

Result<void> Poller::look(RowFinder& finder, UnixMillis unix_now, MonoTime now,
                          const std::function<Result<void>(const Unit&)>& take) {
  due_ = now + mapping_->follow.every;
  forget_old(now);
  // Before the rows: what is written in between is read by the next look.
  HEARTH_TRY(const auto latest, greatest(finder));
  const Selection selection =
      seen_.empty() ? mapping_->selection : changed_since(seen_.front().greatest);
  HEARTH_TRY_VOID(finder.read_selection(*mapping_, selection, unix_now, take));
  if (latest) seen_.push_back({now, *latest});
  return {};
}

}  // namespace hearth::warm
