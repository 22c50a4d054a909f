// Rows that were not stored: counted, reported with their key, and written to a file from which
// they can be read again.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/plan.h"

namespace hearth::warm {

struct Reject {
  std::string_view mapping;
  std::uint64_t row = 0;  // counted from 1 in the order of reading, in its chunk
  std::string_view key;   // empty when the row has none
  std::string_view reason;
  const std::vector<std::string>* primary_key = nullptr;  // values; null: not known
};

// One line of the reject file: a JSON object. Bytes that are not UTF-8 appear as "\xNN", and a
// primary key with such bytes is left out.
[[nodiscard]] std::string reject_line(const Reject& reject);

// The primary keys that a reject file names, by mapping; and how many of its lines name none.
struct RejectedRows {
  std::map<std::string, std::vector<std::vector<std::string>>> keys;
  std::uint64_t without_key = 0;
};
// Errors: kIo; kInvalid, naming the line.
Result<RejectedRows> read_rejects(const std::string& path);

// Any thread may add.
class RejectLog {
 public:
  // The first few are also given to `print`, a line each.
  RejectLog(ErrorPolicy policy, std::function<void(const std::string&)> print)
      : policy_(std::move(policy)), print_(std::move(print)) {}

  void add(const Reject& reject);
  // True when the policy says that the run must end.
  [[nodiscard]] bool is_too_many() const {
    const std::uint64_t count = count_.load(std::memory_order_relaxed);
    return count > 0 && (policy_.on_error == OnError::kFail || count > policy_.max_errors);
  }
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool has_file() const { return !policy_.reject_file.empty(); }
  // Empties the file. Called when nothing stands in the way of the first row any more, so that a
  // run that does not begin leaves the file of the one before. Errors: kIo.
  Result<void> open();
  // Writes out what is buffered. Errors: kIo; the file is not complete then.
  Result<void> close();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  ErrorPolicy policy_;
  std::function<void(const std::string&)> print_;
  std::mutex mutex_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace hearth::warm
