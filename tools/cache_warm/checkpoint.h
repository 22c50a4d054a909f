// The chunks of a load that are done, in a file that survives kill -9: one JSON object a line.
//
//   {"plan":"<fingerprint>"}                     the first line: of what was to be loaded
//   {"mapping":"users","chunks":["range ...",..]}  how a mapping was divided
//   {"mapping":"users","done":"range ...","rows":50000}
//
// A chunk is written when every row of it is acknowledged, so a run that goes on reads at most the
// chunks again that its workers were at. A line that is cut off at the end is passed over.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_source/chunk.h"

namespace hearth::warm {

class Checkpoint {
 public:
  // Begins a new file, or with `resume` goes on with one. Errors: kIo; kInvalid: the file is of
  // another plan, or is no checkpoint.
  static Result<std::unique_ptr<Checkpoint>> open(const std::string& path,
                                                  std::string_view fingerprint, bool resume);

  // The chunks that an earlier run made of a mapping.
  [[nodiscard]] std::optional<std::vector<Chunk>> chunks_of(const std::string& mapping) const;
  [[nodiscard]] bool is_done(const std::string& mapping, const Chunk& chunk) const;
  [[nodiscard]] std::uint64_t rows_done(const std::string& mapping) const;

  Result<void> write_chunks(const std::string& mapping, const std::vector<Chunk>& chunks);
  // Any thread.
  Result<void> write_done(const std::string& mapping, const Chunk& chunk, std::uint64_t rows);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  struct Progress {
    std::optional<std::vector<Chunk>> chunks;
    std::set<std::string> done;
    std::uint64_t rows = 0;
  };
  Result<void> read(std::string_view text, std::string_view fingerprint);
  Result<void> write_line(const std::string& line);

  std::string path_;
  std::mutex mutex_;  // of the file
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::map<std::string, Progress> mappings_;
};

}  // namespace hearth::warm
