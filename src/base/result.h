// Result<T, E>: a value or the reason why there is none. Our code throws nothing.
//
// tl::expected under a [[nodiscard]] name, so that a dropped error is a build error and a later
// move to std::expected is a change of this file alone.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace hearth {

enum class ErrorCode : unsigned char {
  kInvalid,      // an argument or a line of input is wrong
  kCorrupt,      // bytes from a disk or a peer do not follow their format
  kUnsupported,  // well-formed, but of a version or kind this build does not know
  kLimit,        // larger than a stated limit
  kNotFound,
  kIo,  // the operating system said no; the context holds its words
  kBusy,
};

// The world's failure: what kind, and a sentence saying what and where.
struct Error {
  ErrorCode code = ErrorCode::kInvalid;
  std::string context;
};

template <typename T, typename E = Error>
class [[nodiscard]] Result : public tl::expected<T, E> {
 public:
  using tl::expected<T, E>::expected;
};

using tl::unexpected;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string context) {
  return tl::unexpected<Error>(Error{code, std::move(context)});
}

}  // namespace hearth

#define HEARTH_CONCAT_INNER(a, b) a##b
#define HEARTH_CONCAT(a, b) HEARTH_CONCAT_INNER(a, b)

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration can't stand in parentheses.
// HEARTH_TRY(const int n, parse(text)); : declares n, or returns the error to the caller.
#define HEARTH_TRY(decl, expr) HEARTH_TRY_INNER(decl, expr, HEARTH_CONCAT(try_result_, __LINE__))
#define HEARTH_TRY_INNER(decl, expr, tmp)                             \
  auto tmp = (expr);                                                  \
  if (!tmp) [[unlikely]]                                              \
    return ::hearth::unexpected(std::move(tmp).error()); /* NOLINT */ \
  decl = std::move(*tmp)
// NOLINTEND(bugprone-macro-parentheses)

#define HEARTH_TRY_VOID(expr)                                   \
  do {                                                          \
    if (auto try_void = (expr); !try_void) [[unlikely]]         \
      return ::hearth::unexpected(std::move(try_void).error()); \
  } while (false)
