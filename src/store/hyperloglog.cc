#include "src/store/hyperloglog.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "src/base/bytes.h"
#include "src/base/check.h"

namespace hearth::hll {
namespace {

using ds::Hll;

constexpr std::string_view kMagic = "HYLL";
constexpr std::size_t kEncodingAt = 4;
constexpr std::size_t kCountAt = 8;
constexpr std::size_t kStaleAt = 15;
constexpr unsigned kStaleBit = 0x80;

constexpr std::uint32_t kShortZerosMax = 64;
constexpr std::uint32_t kLongZerosMax = 16384;
constexpr std::uint32_t kValuesMax = 4;
constexpr std::uint8_t kSparseValueMax = 32;

unsigned char byte_of(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

Encoding encoding_of(std::string_view value) {
  return static_cast<Encoding>(byte_of(value, kEncodingAt));
}

// Registers side by side with one value.
struct Run {
  std::uint8_t value = 0;
  std::uint32_t length = 0;
  std::uint32_t bytes = 0;  // of its encoding; 0: there is none
};

Run run_at(std::string_view value, std::size_t at) {
  const unsigned b = byte_of(value, at);
  if ((b & 0x80) != 0) {
    return {static_cast<std::uint8_t>(((b >> 2) & 0x1f) + 1), (b & 3) + 1, 1};
  }
  if ((b & 0x40) == 0) return {0, (b & 0x3f) + 1, 1};
  if (at + 1 >= value.size()) return {};
  return {0, ((b & 0x3f) << 8 | byte_of(value, at + 1)) + 1, 2};
}

void write_run(std::string& out, std::uint8_t value, std::uint32_t length) {
  while (length > 0) {
    if (value > 0) {
      const std::uint32_t part = std::min(length, kValuesMax);
      out += static_cast<char>(0x80 | (value - 1U) << 2 | (part - 1));
      length -= part;
    } else if (length <= kShortZerosMax) {
      out += static_cast<char>(length - 1);
      length = 0;
    } else {
      const std::uint32_t part = std::min(length, kLongZerosMax);
      out += static_cast<char>(0x40 | (part - 1) >> 8);
      out += static_cast<char>((part - 1) & 0xff);
      length -= part;
    }
  }
}

// fn(first register, run) for all runs of a sparse value.
template <typename F>
void for_each_run(std::string_view value, F&& fn) {
  std::uint32_t first = 0;
  for (std::size_t at = kHeaderBytes; at < value.size();) {
    const Run run = run_at(value, at);
    fn(first, run);
    first += run.length;
    at += run.bytes;
  }
}

// fn(index, value) for all registers of a dense value, three bytes and four registers at a time.
template <typename F>
void for_each_dense(std::string_view value, F&& fn) {
  const char* p = value.data() + kHeaderBytes;
  for (std::uint32_t i = 0; i < Hll::kRegisters; i += 4, p += 3) {
    const unsigned group = static_cast<unsigned char>(p[0]) |
                           static_cast<unsigned>(static_cast<unsigned char>(p[1])) << 8 |
                           static_cast<unsigned>(static_cast<unsigned char>(p[2])) << 16;
    for (std::uint32_t j = 0; j < 4; ++j)
      fn(i + j, static_cast<std::uint8_t>((group >> (6 * j)) & 0x3f));
  }
}

std::uint8_t dense_register(const char* registers, std::uint32_t index) {
  const std::uint32_t bit = index * 6;
  unsigned two = static_cast<unsigned char>(registers[bit / 8]);
  if (bit % 8 > 2)
    two |= static_cast<unsigned>(static_cast<unsigned char>(registers[bit / 8 + 1])) << 8;
  return static_cast<std::uint8_t>((two >> (bit % 8)) & 0x3f);
}

void set_dense_register(char* registers, std::uint32_t index, std::uint8_t value) {
  const std::uint32_t bit = index * 6;
  const std::uint32_t at = bit / 8;
  const bool wide = bit % 8 > 2;
  unsigned two = static_cast<unsigned char>(registers[at]);
  if (wide) two |= static_cast<unsigned>(static_cast<unsigned char>(registers[at + 1])) << 8;
  two = (two & ~(0x3fU << (bit % 8))) | static_cast<unsigned>(value) << (bit % 8);
  registers[at] = static_cast<char>(two & 0xff);
  if (wide) registers[at + 1] = static_cast<char>(two >> 8);
}

std::string header(Encoding encoding) {
  std::string value(kMagic);
  value += static_cast<char>(encoding);
  value.append(kHeaderBytes - value.size(), '\0');
  return value;
}

}  // namespace

Result<Encoding, Flaw> inspect(std::string_view value) {
  if (value.size() < kHeaderBytes || !value.starts_with(kMagic) ||
      byte_of(value, kEncodingAt) > static_cast<unsigned>(Encoding::kSparse)) {
    return tl::unexpected(Flaw::kNotHll);
  }
  const Encoding encoding = encoding_of(value);
  if (encoding == Encoding::kDense && value.size() != kDenseBytes)
    return tl::unexpected(Flaw::kNotHll);
  return encoding;
}

Result<Encoding, Flaw> validate(std::string_view value) {
  HEARTH_TRY(const Encoding encoding, inspect(value));
  if (encoding == Encoding::kDense) return encoding;
  std::uint64_t covered = 0;
  for (std::size_t at = kHeaderBytes; at < value.size();) {
    const Run run = run_at(value, at);
    covered += run.length;
    if (run.bytes == 0 || covered > Hll::kRegisters) return tl::unexpected(Flaw::kCorrupt);
    at += run.bytes;
  }
  if (covered != Hll::kRegisters) return tl::unexpected(Flaw::kCorrupt);
  return encoding;
}

std::string make_empty() {
  std::string value = header(Encoding::kSparse);
  write_run(value, 0, Hll::kRegisters);
  return value;
}

std::string make(const Hll::Registers& registers, Encoding wanted, std::uint64_t sparse_bytes_max) {
  const bool tellable = *std::max_element(registers.begin(), registers.end()) <= kSparseValueMax;
  if (wanted == Encoding::kSparse && tellable) {
    std::string value = header(Encoding::kSparse);
    for (std::uint32_t i = 0; i < Hll::kRegisters && value.size() <= sparse_bytes_max;) {
      std::uint32_t end = i + 1;
      while (end < Hll::kRegisters && registers[end] == registers[i]) ++end;
      write_run(value, registers[i], end - i);
      i = end;
    }
    invalidate_count(value.data());
    if (value.size() <= sparse_bytes_max) return value;
  }
  std::string value = header(Encoding::kDense);
  value.resize(kDenseBytes, '\0');
  for (std::uint32_t i = 0; i < Hll::kRegisters; ++i)
    set_dense_register(value.data() + kHeaderBytes, i, registers[i]);
  invalidate_count(value.data());
  return value;
}

std::optional<std::uint64_t> cached_count(std::string_view value) {
  if ((byte_of(value, kStaleAt) & kStaleBit) != 0) return std::nullopt;
  return load_le<std::uint64_t>(value.data() + kCountAt);
}

void set_cached_count(char* value, std::uint64_t count) { store_le(value + kCountAt, count); }

void invalidate_count(char* value) {
  value[kStaleAt] = static_cast<char>(static_cast<unsigned char>(value[kStaleAt]) | kStaleBit);
}

std::uint64_t count(std::string_view value) {
  Hll::Histogram histogram{};
  if (encoding_of(value) == Encoding::kDense) {
    for_each_dense(value, [&](std::uint32_t, std::uint8_t v) { ++histogram[v]; });
  } else {
    for_each_run(value, [&](std::uint32_t, const Run& run) { histogram[run.value] += run.length; });
  }
  return Hll::estimate(histogram);
}

void merge(std::string_view value, Hll& into) {
  if (encoding_of(value) == Encoding::kDense) {
    for_each_dense(value, [&](std::uint32_t i, std::uint8_t v) { into.raise(i, v); });
    return;
  }
  for_each_run(value, [&](std::uint32_t first, const Run& run) {
    if (run.value == 0) return;
    for (std::uint32_t i = 0; i < run.length; ++i) into.raise(first + i, run.value);
  });
}

std::uint8_t get_register(std::string_view value, std::uint32_t index) {
  if (encoding_of(value) == Encoding::kDense)
    return dense_register(value.data() + kHeaderBytes, index);
  std::uint8_t found = 0;
  for_each_run(value, [&](std::uint32_t first, const Run& run) {
    if (first <= index && index < first + run.length) found = run.value;
  });
  return found;
}

bool raise_dense(char* value, std::uint32_t index, std::uint8_t run) {
  char* registers = value + kHeaderBytes;
  if (dense_register(registers, index) >= run) return false;
  set_dense_register(registers, index, run);
  return true;
}

void make_dense(std::string& value) {
  if (encoding_of(value) == Encoding::kDense) return;
  std::string dense = header(Encoding::kDense);
  // The cached count holds for the same registers in another form.
  dense.replace(kCountAt, 8, value, kCountAt, 8);
  dense.resize(kDenseBytes, '\0');
  for_each_run(value, [&](std::uint32_t first, const Run& run) {
    if (run.value == 0) return;
    for (std::uint32_t i = 0; i < run.length; ++i)
      set_dense_register(dense.data() + kHeaderBytes, first + i, run.value);
  });
  value = std::move(dense);
}

bool raise(std::string& value, std::uint32_t index, std::uint8_t run,
           std::uint64_t sparse_bytes_max) {
  if (encoding_of(value) == Encoding::kDense) return raise_dense(value.data(), index, run);
  // The run that holds the register, and its neighbours.
  Run before, hit;
  std::uint32_t first = 0;
  std::size_t at = kHeaderBytes;
  for (;;) {
    hit = run_at(value, at);
    if (index < first + hit.length) break;
    before = hit;
    first += hit.length;
    at += hit.bytes;
  }
  if (hit.value >= run) return false;

  // before | left part of the run | the register | right part | after: what has the same value side
  // by side is written as one run.
  std::array<Run, 5> parts{};
  parts[0] = before;
  parts[1] = {hit.value, index - first, 0};
  parts[2] = {run, 1, 0};
  parts[3] = {hit.value, first + hit.length - index - 1, 0};
  const std::size_t after_at = at + hit.bytes;
  if (after_at < value.size()) parts[4] = run_at(value, after_at);
  std::string replacement;
  Run open;
  for (const Run& part : parts) {
    if (part.length == 0) continue;
    if (part.value != open.value) {
      write_run(replacement, open.value, open.length);
      open = part;
    } else {
      open.length += part.length;
    }
  }
  write_run(replacement, open.value, open.length);

  const std::size_t from = at - before.bytes;
  const std::size_t replaced = before.bytes + hit.bytes + parts[4].bytes;
  const std::size_t bytes = value.size() - replaced + replacement.size();
  if (run > kSparseValueMax || (bytes > value.size() && bytes > sparse_bytes_max)) {
    make_dense(value);
    return raise_dense(value.data(), index, run);
  }
  value.replace(from, replaced, replacement);
  return true;
}

std::string runs_text(std::string_view value) {
  std::string text;
  for_each_run(value, [&](std::uint32_t, const Run& run) {
    if (!text.empty()) text += ' ';
    if (run.value > 0) {
      text += "v:" + std::to_string(run.value) + "," + std::to_string(run.length);
    } else {
      text += run.bytes == 1 ? "z:" : "Z:";
      text += std::to_string(run.length);
    }
  });
  return text;
}

}  // namespace hearth::hll
