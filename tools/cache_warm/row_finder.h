// Reads rows of a mapping again by the values of some of their columns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tools/warm_mapping/row_encoder.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

class RowFinder {
 public:
  // A connection of its own; each read sees what is committed when it begins. Errors: kInvalid,
  // kIo, kBusy.
  static Result<RowFinder> open(SourceOptions options);

  // Reads the rows whose `columns` have one of the values and hands over their units. Rows that
  // make one value come together. One query for all; one for each of the values where rows of a
  // query make groups, since their order is the query's. Errors: kInvalid (a column is gone), kIo,
  // kBusy, those of `take`.
  Result<void> read(const Mapping& mapping, const std::vector<std::string>& columns,
                    const std::vector<std::vector<std::string>>& values, UnixMillis now,
                    const std::function<Result<void>(const Unit&)>& take);

  // Reads all rows of a selection as those of the mapping. Errors: as above.
  Result<void> read_selection(const Mapping& mapping, const Selection& selection, UnixMillis now,
                              const std::function<Result<void>(const Unit&)>& take);
  // The rows themselves. Errors: as above.
  Result<void> read_rows(const Selection& selection, const std::function<Result<void>(Row)>& take);

 private:
  RowFinder(std::unique_ptr<Source> source, std::unique_ptr<Reader> reader)
      : source_(std::move(source)), reader_(std::move(reader)) {}
  Result<void> read_chunk(const Mapping& mapping, const Selection& selection, const Chunk& chunk,
                          UnixMillis now, const std::function<Result<void>(const Unit&)>& take);
  std::unique_ptr<Source> source_;  // outlives the reader
  std::unique_ptr<Reader> reader_;
};

}  // namespace hearth::warm
