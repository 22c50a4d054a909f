#include "persistence/rdb/fields.h"

#include <fmt/format.h>
#include <liblzf/lzf.h>

#include <limits>

#include "persistence/rdb/format.h"
#include "src/base/format_number.h"
#include "src/base/parse_number.h"

namespace hearth::rdb {
namespace {

constexpr std::size_t kCompressFrom = 21;  // shorter strings gain nothing
// One LZF back reference of 3 bytes yields at most 264; no input expands more than this.
constexpr std::uint64_t kLzfRatioMax = 264;

// How many bytes LZF bytes make, found without making them. Back references may be wrong: the
// decompression tells.
std::uint64_t lzf_expanded_size(std::string_view packed) {
  constexpr unsigned kLiteralEnd = 32, kLongLength = 7;
  std::uint64_t size = 0;
  for (std::size_t at = 0; at < packed.size();) {
    const auto control = static_cast<unsigned char>(packed[at++]);
    if (control < kLiteralEnd) {
      size += control + 1U;
      at += control + 1U;
      continue;
    }
    unsigned length = control >> 5;
    if (length == kLongLength && at < packed.size())
      length += static_cast<unsigned char>(packed[at++]);
    size += length + 2;
    ++at;  // the rest of the distance
  }
  return size;
}

constexpr std::uint8_t special(StringForm form) {
  return static_cast<std::uint8_t>(0xc0 | static_cast<unsigned>(form));
}

template <typename T>
bool fits(std::int64_t v) {
  return v >= std::numeric_limits<T>::min() && v <= std::numeric_limits<T>::max();
}

bool write_small_integer(std::string& out, std::int64_t v) {
  ByteWriter w(out);
  if (fits<std::int8_t>(v)) {
    w.le(special(StringForm::kInt8));
    w.le(static_cast<std::int8_t>(v));
  } else if (fits<std::int16_t>(v)) {
    w.le(special(StringForm::kInt16));
    w.le(static_cast<std::int16_t>(v));
  } else if (fits<std::int32_t>(v)) {
    w.le(special(StringForm::kInt32));
    w.le(static_cast<std::int32_t>(v));
  } else {
    return false;
  }
  return true;
}

bool write_compressed(std::string& out, std::string_view text) {
  if (text.size() > std::numeric_limits<unsigned>::max()) return false;
  // It must save at least four bytes: what the lengths in front cost.
  std::string packed(text.size() - 4, '\0');
  const unsigned size = lzf_compress(text.data(), static_cast<unsigned>(text.size()), packed.data(),
                                     static_cast<unsigned>(packed.size()));
  if (size == 0) return false;
  out += static_cast<char>(special(StringForm::kLzf));
  write_length(out, size);
  write_length(out, text.size());
  out.append(packed, 0, size);
  return true;
}

struct LengthOrForm {
  std::uint64_t length = 0;
  bool special = false;
  std::uint8_t form = 0;
};

Result<LengthOrForm> read_length_or_form(ByteReader& in) {
  std::uint8_t first = 0;
  if (!in.le(first)) return corrupt(in, "a length");
  switch (first >> 6) {
    case 0: return LengthOrForm{first, false, 0};
    case 1: {
      std::uint8_t low = 0;
      if (!in.le(low)) return corrupt(in, "the second byte of a length");
      return LengthOrForm{(first & 0x3fU) << 8 | low, false, 0};
    }
    case 2:
      if (first == kLength32) {
        std::uint32_t wide = 0;
        if (!in.be(wide)) return corrupt(in, "a length of 4 bytes");
        return LengthOrForm{wide, false, 0};
      }
      if (first == kLength64) {
        std::uint64_t wide = 0;
        if (!in.be(wide)) return corrupt(in, "a length of 8 bytes");
        return LengthOrForm{wide, false, 0};
      }
      return corrupt(in, "a known length encoding");
    default: return LengthOrForm{0, true, static_cast<std::uint8_t>(first & 0x3f)};
  }
}

template <typename T>
Result<std::string> read_integer_text(ByteReader& in) {
  T v{};
  if (!in.le(v)) return corrupt(in, "an integer");
  return int64_text(v);
}

Result<std::string> read_compressed(ByteReader& in, std::uint64_t max_bytes) {
  HEARTH_TRY(const std::uint64_t packed_size, read_length(in));
  HEARTH_TRY(const std::uint64_t size, read_length(in));
  std::string_view packed;
  if (!in.take(packed_size, packed)) return corrupt(in, "compressed bytes");
  if (size == 0 || size > max_bytes || size > std::numeric_limits<unsigned>::max() ||
      size > packed_size * kLzfRatioMax) {
    return corrupt(in, "a possible length of decompressed bytes");
  }
  // Memory is taken for what is there, not for what is said to be.
  if (lzf_expanded_size(packed) != size)
    return corrupt(in, "LZF bytes of the length that is stated");
  std::string text(size, '\0');
  const unsigned got = lzf_decompress(packed.data(), static_cast<unsigned>(packed_size),
                                      text.data(), static_cast<unsigned>(size));
  if (got != size) return corrupt(in, "LZF bytes");
  return text;
}

}  // namespace

tl::unexpected<Error> corrupt(const ByteReader& in, std::string_view expected) {
  return fail(ErrorCode::kCorrupt, fmt::format("offset {}: expected {}", in.offset(), expected));
}

tl::unexpected<Error> cut_short(ByteReader& in, std::string_view expected) {
  auto error = corrupt(in, expected);
  static_cast<void>(in.skip(in.remaining() + 1));
  return error;
}

void write_length(std::string& out, std::uint64_t length) {
  ByteWriter w(out);
  if (length < 64) {
    w.le(static_cast<std::uint8_t>(length));
  } else if (length < 16384) {
    w.be(static_cast<std::uint16_t>(0x4000 | length));
  } else if (length <= std::numeric_limits<std::uint32_t>::max()) {
    w.le(kLength32);
    w.be(static_cast<std::uint32_t>(length));
  } else {
    w.le(kLength64);
    w.be(length);
  }
}

void write_number(std::string& out, std::int64_t number) {
  if (write_small_integer(out, number)) return;
  const std::string text = int64_text(number);
  write_length(out, text.size());
  out += text;
}

void write_string(std::string& out, std::string_view text, Compression compression) {
  if (text.size() <= 11) {
    if (const auto number = parse_int64(text); number && write_small_integer(out, *number)) return;
  }
  if (compression == Compression::kOn && text.size() >= kCompressFrom &&
      write_compressed(out, text))
    return;
  write_length(out, text.size());
  out += text;
}

Result<std::uint64_t> read_length(ByteReader& in) {
  HEARTH_TRY(const LengthOrForm read, read_length_or_form(in));
  if (read.special) return corrupt(in, "a plain length");
  return read.length;
}

Result<std::string> read_string(ByteReader& in, std::uint64_t max_bytes) {
  HEARTH_TRY(const LengthOrForm read, read_length_or_form(in));
  if (read.special) {
    switch (static_cast<StringForm>(read.form)) {
      case StringForm::kInt8: return read_integer_text<std::int8_t>(in);
      case StringForm::kInt16: return read_integer_text<std::int16_t>(in);
      case StringForm::kInt32: return read_integer_text<std::int32_t>(in);
      case StringForm::kLzf: return read_compressed(in, max_bytes);
    }
    return corrupt(in, "a known string encoding");
  }
  std::string_view bytes;
  if (read.length > max_bytes || !in.take(read.length, bytes)) {
    return corrupt(in, "a string within its bounds");
  }
  return std::string(bytes);
}

}  // namespace hearth::rdb
