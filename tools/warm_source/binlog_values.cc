// The values in images of rows.
//
// Numbers are little endian; dates, times and decimals are big endian with a flipped sign bit, so
// that they compare as bytes.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "src/base/bytes.h"
#include "src/base/format_number.h"
#include "tools/warm_mapping/civil_time.h"
#include "tools/warm_source/binlog.h"
#include "tools/warm_source/short_float.h"

namespace hearth::warm {
namespace {

constexpr std::int64_t kMicrosOfSecond = 1'000'000;
constexpr std::int64_t kSecondsOfDay = 86'400;
constexpr unsigned kDecimalDigitsMax = 65;
constexpr unsigned kDecimalScaleMax = 38;
// Digits are stored nine to four bytes; fewer take fewer.
constexpr unsigned kDigitsOfWord = 9;
constexpr std::array<std::uint8_t, 10> kBytesOfDigits = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::size_t fraction_bytes(unsigned digits) { return (digits + 1) / 2; }

// A fraction in microseconds; it is stored in hundredths, ten-thousandths or millionths.
std::int64_t micros_of_fraction(std::string_view bytes) {
  static constexpr std::array<std::int64_t, 4> kScale = {0, 10'000, 100, 1};
  return static_cast<std::int64_t>(big_endian(bytes)) * kScale[bytes.size()];
}

// Days since 1970; a zero date becomes NULL.
void put_days(std::int64_t year, unsigned month, unsigned day, Cell& cell) {
  if (month < 1 || month > 12 || day < 1 || day > 31) {
    cell.type = CellType::kNull;
    return;
  }
  cell.integer = days_of_date(year, month, day);
}

bool read_timestamp(LogBytes& in, unsigned digits, Cell& cell) {
  const std::uint64_t seconds = big_endian(in.bytes(4));
  const std::int64_t micros = micros_of_fraction(in.bytes(fraction_bytes(digits)));
  if (seconds == 0) cell.type = CellType::kNull;  // a zero date
  cell.integer = static_cast<std::int64_t>(seconds) * kMicrosOfSecond + micros;
  return in.is_good();
}

// Five bytes: a sign, year * 13 + month, day, hour, minute, second.
bool read_datetime(LogBytes& in, unsigned digits, Cell& cell) {
  const std::uint64_t packed = big_endian(in.bytes(5)) & 0x7f'ffff'ffff;
  const std::int64_t micros = micros_of_fraction(in.bytes(fraction_bytes(digits)));
  const std::uint64_t months = packed >> 22;
  put_days(static_cast<std::int64_t>(months / 13), static_cast<unsigned>(months % 13),
           static_cast<unsigned>(packed >> 17 & 31), cell);
  const auto in_day = static_cast<std::int64_t>((packed >> 12 & 31) * 3600 +
                                                (packed >> 6 & 63) * 60 + (packed & 63));
  cell.integer = (cell.integer * kSecondsOfDay + in_day) * kMicrosOfSecond + micros;
  return in.is_good();
}

// Three bytes and the fraction as one number around a middle, so that a negative time with a
// fraction is the negative of the positive one.
bool read_time(LogBytes& in, unsigned digits, Cell& cell) {
  const std::size_t fraction = fraction_bytes(digits);
  const std::string_view bytes = in.bytes(3 + fraction);
  if (!in.is_good()) return false;
  const unsigned bits = 8 * static_cast<unsigned>(3 + fraction);
  std::int64_t value =
      static_cast<std::int64_t>(big_endian(bytes)) - (std::int64_t{1} << (bits - 1));
  const bool is_negative = value < 0;
  if (is_negative) value = -value;
  static constexpr std::array<std::int64_t, 4> kScale = {0, 10'000, 100, 1};
  const std::int64_t part = value & ((std::int64_t{1} << 8 * fraction) - 1);
  const std::int64_t whole = value >> 8 * fraction;
  const std::int64_t seconds = (whole >> 12 & 0x3ff) * 3600 + (whole >> 6 & 63) * 60 + (whole & 63);
  cell.integer = seconds * kMicrosOfSecond + part * kScale[fraction];
  if (is_negative) cell.integer = -cell.integer;
  return true;
}

void read_whole(LogBytes& in, std::size_t size, Cell& cell) {
  const std::uint64_t value = in.number(size);
  const unsigned shift = 64 - 8 * static_cast<unsigned>(size);
  cell.integer = cell.type == CellType::kUnsigned
                     ? static_cast<std::int64_t>(value)
                     : static_cast<std::int64_t>(value << shift) >> shift;
}

}  // namespace

bool is_readable(const BinlogColumn& column, const BinlogValueForm& form) {
  const bool is_text =
      form.cell == CellType::kText || form.cell == CellType::kBytes || form.cell == CellType::kJson;
  switch (column.type) {
    case kTinyColumn:
    case kShortColumn:
    case kLongColumn:
    case kLongLongColumn:
    case kInt24Column:
    case kYearColumn: return form.cell == CellType::kInteger || form.cell == CellType::kUnsigned;
    case kBitColumn: return form.cell == CellType::kUnsigned;
    case kFloatColumn:
    case kDoubleColumn: return form.cell == CellType::kReal;
    case kDateColumn:
    case kNewDateColumn: return form.cell == CellType::kDate;
    case kTimestamp2Column: return form.cell == CellType::kTimestampTz;
    case kDatetime2Column: return form.cell == CellType::kTimestamp;
    case kTime2Column: return form.cell == CellType::kTime;
    case kDecimalColumn: return form.cell == CellType::kDecimal;
    case kEnumColumn:
    case kSetColumn: return !form.names.empty();
    case kVarcharColumn:
    case kVarStringColumn:
    case kStringColumn:
    case kBlobColumn:
    case kGeometryColumn: return is_text;
    default: return false;
  }
}

BinlogRowDecoder::BinlogRowDecoder(std::vector<BinlogColumn> columns,
                                   std::vector<BinlogValueForm> forms)
    : columns_(std::move(columns)), forms_(std::move(forms)), cells_(columns_.size()) {
  forms_.resize(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i)
    readable_.push_back(is_readable(columns_[i], forms_[i]));
}

Result<Row> BinlogRowDecoder::take_image(std::string_view& images) {
  arena_.clear();
  const std::size_t bitmap_bytes = (columns_.size() + 7) / 8;
  if (images.size() < bitmap_bytes)
    return fail(ErrorCode::kCorrupt, "the server sent a row that is cut off");
  const std::string_view nulls = images.substr(0, bitmap_bytes);
  images.remove_prefix(bitmap_bytes);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    cells_[i] = Cell{};
    if ((nulls[i / 8] >> (i % 8) & 1) != 0) continue;
    cells_[i].type = forms_[i].cell;
    if (!read_value(i, images, cells_[i])) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("the server sent column {} of a row in another form than type {}",
                              i + 1, columns_[i].type));
    }
    if (!readable_[i]) cells_[i] = Cell{};
  }
  return Row(cells_);
}

// Values that are not readable are passed over, so their lengths must be known all the same.
bool BinlogRowDecoder::read_value(std::size_t index, std::string_view& bytes, Cell& cell) {
  const BinlogColumn& column = columns_[index];
  LogBytes in(bytes);
  bool good = true;
  switch (column.type) {
    case kTinyColumn: read_whole(in, 1, cell); break;
    case kShortColumn: read_whole(in, 2, cell); break;
    case kInt24Column: read_whole(in, 3, cell); break;
    case kLongColumn: read_whole(in, 4, cell); break;
    case kLongLongColumn: read_whole(in, 8, cell); break;
    case kYearColumn: {
      const auto year = static_cast<std::int64_t>(in.number(1));
      cell.integer = year == 0 ? 0 : year + 1900;
      break;
    }
    case kFloatColumn:
      cell.real = as_short_double(
          std::bit_cast<float>(static_cast<std::uint32_t>(in.number(sizeof(float)))));
      break;
    case kDoubleColumn: cell.real = std::bit_cast<double>(in.number(sizeof(double))); break;
    case kBitColumn: {
      const unsigned size = column.metadata >> 8 & 0xff;
      const bool has_more = (column.metadata & 0xff) != 0;
      cell.integer = static_cast<std::int64_t>(big_endian(in.bytes(size + (has_more ? 1 : 0))));
      break;
    }
    case kDateColumn:
    case kNewDateColumn: {
      const std::uint64_t packed = in.number(3);
      put_days(static_cast<std::int64_t>(packed >> 9), static_cast<unsigned>(packed >> 5 & 15),
               static_cast<unsigned>(packed & 31), cell);
      break;
    }
    case kTimestamp2Column:
      good = column.metadata <= 6 && read_timestamp(in, column.metadata, cell);
      break;
    case kDatetime2Column:
      good = column.metadata <= 6 && read_datetime(in, column.metadata, cell);
      break;
    case kTime2Column: good = column.metadata <= 6 && read_time(in, column.metadata, cell); break;
    case kDecimalColumn: good = read_decimal(column, in, cell); break;
    case kEnumColumn: good = read_member(forms_[index], in.number(column.length), cell); break;
    case kSetColumn:
      good = column.length <= 8 && read_members(forms_[index], in.number(column.length), cell);
      break;
    // Times of the form before MySQL 5.6, without a fraction.
    case 7: in.bytes(4); break;
    case 11: in.bytes(3); break;
    case 12: in.bytes(8); break;
    case 6: break;
    case kVarcharColumn:
    case kVarStringColumn:
    case kVarcharCompressedColumn:
    case kStringColumn:
    case kTinyBlobColumn:
    case kTinyBlobColumn + 1:
    case kTinyBlobColumn + 2:
    case kBlobColumn:
    case kBlobCompressedColumn:
    case kJsonColumn:
    case kGeometryColumn: read_text(column, in, cell); break;
    default: return false;
  }
  bytes = in.rest();
  return good && in.is_good();
}

void BinlogRowDecoder::read_text(const BinlogColumn& column, LogBytes& in, Cell& cell) {
  switch (column.type) {
    case kVarcharColumn:
    case kVarStringColumn:
    case kVarcharCompressedColumn:
      cell.bytes = in.bytes(in.number(column.metadata < 256 ? 1 : 2));
      return;
    case kStringColumn: {
      cell.bytes = in.bytes(in.number(column.length < 256 ? 1 : 2));
      if (cell.type != CellType::kBytes || cell.bytes.size() >= column.length) return;
      // BINARY(n) has n bytes; zeros at its end are not stored.
      char* const whole = arena_.take(column.length);
      std::memcpy(whole, cell.bytes.data(), cell.bytes.size());
      std::memset(whole + cell.bytes.size(), 0, column.length - cell.bytes.size());
      cell.bytes = {whole, column.length};
      return;
    }
    default:
      // More than four bytes of length have no form; nothing is then taken, and lost.
      cell.bytes = in.bytes(in.number(column.metadata <= 4 ? column.metadata : 9));
  }
}

bool BinlogRowDecoder::read_member(const BinlogValueForm& form, std::uint64_t number,
                                   Cell& cell) const {
  cell.type = CellType::kText;
  if (form.names.empty() || number == 0) return true;  // 0: an invalid value, which is ''
  if (number > form.names.size()) return false;
  cell.bytes = form.names[static_cast<std::size_t>(number) - 1];
  return true;
}

bool BinlogRowDecoder::read_members(const BinlogValueForm& form, std::uint64_t bits, Cell& cell) {
  cell.type = CellType::kText;
  if (form.names.empty()) return true;
  std::size_t size = 0;
  for (const auto& name : form.names) size += name.size() + 1;
  char* const begin = arena_.take(size);
  char* p = begin;
  for (std::size_t i = 0; i < form.names.size() && i < 64; ++i) {
    if ((bits >> i & 1) == 0) continue;
    if (p != begin) *p++ = ',';
    p = std::copy(form.names[i].begin(), form.names[i].end(), p);
  }
  if (form.names.size() < 64 && bits >> form.names.size() != 0) return false;
  cell.bytes = {begin, static_cast<std::size_t>(p - begin)};
  return true;
}

// The digits before the point, then those behind it, each from the point outwards in words of nine;
// the odd ones stand at the ends. The sign is the first bit, flipped; a negative number has all its
// bytes flipped.
bool BinlogRowDecoder::read_decimal(const BinlogColumn& column, LogBytes& in, Cell& cell) {
  const unsigned precision = column.metadata >> 8;
  const unsigned scale = column.metadata & 0xff;
  if (precision == 0 || precision > kDecimalDigitsMax || scale > kDecimalScaleMax ||
      scale > precision)
    return false;
  const unsigned whole = precision - scale;
  const std::size_t size = whole / kDigitsOfWord * 4 + kBytesOfDigits[whole % kDigitsOfWord] +
                           scale / kDigitsOfWord * 4 + kBytesOfDigits[scale % kDigitsOfWord];
  const std::string_view stored = in.bytes(size);
  if (!in.is_good() || stored.empty()) return false;
  std::array<char, 64> flipped{};
  const bool is_negative = (stored[0] & 0x80) == 0;
  for (std::size_t i = 0; i < size; ++i)
    flipped[i] = static_cast<char>(is_negative ? ~stored[i] : stored[i]);
  flipped[0] = static_cast<char>(flipped[0] ^ 0x80);
  std::string_view rest(flipped.data(), size);
  char* const begin = arena_.take(kDecimalDigitsMax + 4);
  char* p = begin;
  bool good = true;
  const auto put = [&](unsigned digits) {
    if (digits == 0) return;
    std::uint64_t value = big_endian(rest.substr(0, kBytesOfDigits[digits]));
    rest.remove_prefix(kBytesOfDigits[digits]);
    for (unsigned i = digits; i-- > 0; value /= 10) p[i] = static_cast<char>('0' + value % 10);
    good = good && value == 0;
    p += digits;
  };
  if (is_negative) *p++ = '-';
  char* const first = p;
  put(whole % kDigitsOfWord);
  for (unsigned i = 0; i < whole / kDigitsOfWord; ++i) put(kDigitsOfWord);
  // Zeros in front are not written, but for the one before the point.
  char* digit = first;
  while (digit + 1 < p && *digit == '0') ++digit;
  const auto kept = static_cast<std::size_t>(p - digit);
  std::memmove(first, digit, kept);
  p = first + kept;
  if (kept == 0) *p++ = '0';
  if (scale > 0) *p++ = '.';
  for (unsigned i = 0; i < scale / kDigitsOfWord; ++i) put(kDigitsOfWord);
  put(scale % kDigitsOfWord);
  cell.bytes = {begin, static_cast<std::size_t>(p - begin)};
  return good;
}

}  // namespace hearth::warm
