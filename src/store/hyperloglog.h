// HyperLogLog counters as string values.
//
//   0   "HYLL"
//   4   encoding: 0 dense, 1 sparse
//   5   three bytes that mean nothing
//   8   cached count, u64 LE; the top bit of byte 15 says that it is out of date
//   16  dense: 16384 registers of 6 bits, the lowest bits first: 12304 bytes in all
//       sparse: runs of registers with one value, which cover all of them:
//         00nnnnnn           n+1 zeros
//         01nnnnnn nnnnnnnn  n+1 zeros
//         1vvvvvnn           n+1 times the value v+1
//
// This is the public format of the field, so that values, DUMP payloads and files can be exchanged.
// A client may have written anything: validate() comes first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "src/ds/hll.h"

namespace hearth::hll {

enum class Encoding : std::uint8_t { kDense = 0, kSparse = 1 };
enum class Flaw : std::uint8_t {
  kNotHll,   // no such header, or a length that cannot be
  kCorrupt,  // the runs do not cover the registers exactly
};

inline constexpr std::size_t kHeaderBytes = 16;
inline constexpr std::size_t kDenseBytes = kHeaderBytes + ds::Hll::kRegisters * 6 / 8;

// Header and length only. O(1).
[[nodiscard]] Result<Encoding, Flaw> inspect(std::string_view value);
// The runs too, if it is sparse. O(bytes).
[[nodiscard]] Result<Encoding, Flaw> validate(std::string_view value);

// An empty sparse counter.
[[nodiscard]] std::string make_empty();
// A counter with these registers, its cached count out of date. Dense if that is wanted, if the
// runs would take more than sparse_bytes_max, or if a register is more than runs can tell.
[[nodiscard]] std::string make(const ds::Hll::Registers& registers, Encoding wanted,
                               std::uint64_t sparse_bytes_max);

// All others want a value that validate() accepts.

// The cached count; nothing if it is out of date.
[[nodiscard]] std::optional<std::uint64_t> cached_count(std::string_view value);
void set_cached_count(char* value, std::uint64_t count);
void invalidate_count(char* value);
// Computed from the registers.
[[nodiscard]] std::uint64_t count(std::string_view value);
// Raises the registers of `into` to those of the value.
void merge(std::string_view value, ds::Hll& into);
[[nodiscard]] std::uint8_t get_register(std::string_view value, std::uint32_t index);

// Raises a register of a dense value in place; false if it is as high already.
bool raise_dense(char* value, std::uint32_t index, std::uint8_t run);
// Raises a register of a sparse value; false if it is as high already. The value becomes dense if
// it would be longer than `sparse_bytes_max`, or if `run` is more than runs can tell.
bool raise(std::string& value, std::uint32_t index, std::uint8_t run,
           std::uint64_t sparse_bytes_max);
void make_dense(std::string& value);
// The runs of a sparse value: "Z:16383 v:2,1": Z and z for both forms of zeros, v:value,length.
[[nodiscard]] std::string runs_text(std::string_view value);

}  // namespace hearth::hll
