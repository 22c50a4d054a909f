#include "tools/cache_warm/row_finder.h"

namespace hearth::warm {

Result<RowFinder> RowFinder::open(SourceOptions options) {
  options.consistent = false;
  options.readers = 1;
  options.snapshot.clear();
  options.waits_for_commits = true;
  HEARTH_TRY(auto source, open_source(options));
  HEARTH_TRY(auto reader, source->reader());
  return RowFinder(std::move(source), std::move(reader));
}

Result<void> RowFinder::read(const Mapping& mapping, const std::vector<std::string>& columns,
                             const std::vector<std::vector<std::string>>& values, UnixMillis now,
                             const std::function<Result<void>(const Unit&)>& take) {
  Chunk chunk{.kind = Chunk::Kind::kKeys};
  chunk.columns = columns;
  if (mapping.selection.sql.empty() || !mapping.group) {
    chunk.keys = values;
    return read_chunk(mapping, mapping.selection, chunk, now, take);
  }
  for (const auto& one : values) {
    chunk.keys = {one};
    HEARTH_TRY_VOID(read_chunk(mapping, mapping.selection, chunk, now, take));
  }
  return {};
}

Result<void> RowFinder::read_selection(const Mapping& mapping, const Selection& selection,
                                       UnixMillis now,
                                       const std::function<Result<void>(const Unit&)>& take) {
  return read_chunk(mapping, selection, Chunk{}, now, take);
}

Result<void> RowFinder::read_rows(const Selection& selection,
                                  const std::function<Result<void>(Row)>& take) {
  HEARTH_TRY(const auto stream, reader_->open(selection, Chunk{}));
  for (;;) {
    HEARTH_TRY(const auto row, stream->next());
    if (!row) return reader_->release();
    HEARTH_TRY_VOID(take(*row));
  }
}

Result<void> RowFinder::read_chunk(const Mapping& mapping, const Selection& selection,
                                   const Chunk& chunk, UnixMillis now,
                                   const std::function<Result<void>(const Unit&)>& take) {
  HEARTH_TRY(const auto stream, reader_->open(selection, chunk));
  HEARTH_TRY(auto encoder, RowEncoder::bind(mapping, stream->columns()));
  for (std::uint64_t number = 1;; ++number) {
    HEARTH_TRY(const auto row, stream->next());
    if (!row) break;
    if (const Unit* unit = encoder.encode(*row, number, now)) HEARTH_TRY_VOID(take(*unit));
  }
  if (const Unit* unit = encoder.finish()) HEARTH_TRY_VOID(take(*unit));
  return reader_->release();
}

}  // namespace hearth::warm
