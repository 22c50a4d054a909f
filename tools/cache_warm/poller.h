// Changes by looking: rows whose column has grown since the last look. For databases without a
// change stream, and for users who may not read one.
//
// A look reads the rows from a value of the column on that the looks of `overlap` ago knew as the
// greatest, so that a transaction that took its value early and committed late is not missed if it
// took no longer than that. Rows that are deleted, and old keys of rows, are not seen: `delete_if`
// names a column that says so.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "tools/cache_warm/row_finder.h"

namespace hearth::warm {

class Poller {
 public:
  // `quote` is that of names in the database. The mapping outlives the poller. Errors: kInvalid
  // (rows of a mapping with groups cannot be read one by one).
  static Result<Poller> make(const Mapping& mapping, char quote);

  // Remembers the greatest value there is, before a load. Errors: those of RowFinder.
  Result<void> begin(RowFinder& finder, MonoTime now);
  // Goes on where `saved` said. Errors: kInvalid.
  Result<void> resume(const std::string& saved, MonoTime now);

  [[nodiscard]] bool is_due(MonoTime now) const { return now >= due_; }
  // Reads what may have changed, everything at the first time without a known value.
  Result<void> look(RowFinder& finder, UnixMillis unix_now, MonoTime now,
                    const std::function<Result<void>(const Unit&)>& take);
  // The text that `resume` takes; empty: nothing is known.
  [[nodiscard]] std::string saved() const;

 private:
  // A value of the column, as text; whole numbers stand without quotes in SQL.
  struct Value {
    bool is_number = false;
    std::string text;
  };
  struct Seen {
    MonoTime at{};
    Value greatest;
  };
  Poller(const Mapping& mapping, char quote) : mapping_(&mapping), quote_(quote) {}
  Result<std::optional<Value>> greatest(RowFinder& finder);
  [[nodiscard]] Selection changed_since(const Value& value) const;
  void forget_old(MonoTime now);

  const Mapping* mapping_;
  char quote_;
  MonoTime due_{};
  std::deque<Seen> seen_;  // the first is that of `overlap` ago
};

}  // namespace hearth::warm
