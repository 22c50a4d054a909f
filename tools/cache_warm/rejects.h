// Rows that were not stored: counted, reported with their key, and written to a file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "tools/cache_warm/mapping.h"

namespace hearth::warm {

struct Reject {
  std::string_view mapping;
  std::uint64_t row = 0;  // counted from 1 in the order of reading
  std::string_view key;   // empty when the row has none
  std::string_view reason;
};

// One line of the reject file: a JSON object. Bytes of the key that are not UTF-8 appear as "\xNN".
[[nodiscard]] std::string reject_line(const Reject& reject);

class RejectLog {
 public:
  // The first few are also printed to stderr. Errors: kIo, the file cannot be written.
  static Result<RejectLog> open(const ErrorPolicy& policy);

  void add(const Reject& reject);
  // True when the policy says that the run must end.
  [[nodiscard]] bool is_too_many() const {
    return count_ > 0 && (policy_.on_error == OnError::kFail || count_ > policy_.max_errors);
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  // Writes out what is buffered. Errors: kIo; the file is not complete then.
  Result<void> close();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit RejectLog(ErrorPolicy policy) : policy_(std::move(policy)) {}

  ErrorPolicy policy_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::uint64_t count_ = 0;
};

}  // namespace hearth::warm
