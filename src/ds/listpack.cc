#include "src/ds/listpack.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/ds/back_length.h"
#include "src/ds/raw_bytes.h"

namespace hearth::ds {
namespace {

constexpr std::size_t kHeader = 6;
constexpr unsigned char kEndMark = 0xff;
constexpr std::uint16_t kCountUnknown = 65535;

}  // namespace

Listpack::Listpack() : bytes_(allocate(kEmptyBytes)) {
  store_le(bytes_, static_cast<std::uint32_t>(kEmptyBytes));
  store_le(bytes_ + 4, std::uint16_t{0});
  bytes_[kHeader] = static_cast<char>(kEndMark);
}

Listpack::~Listpack() { std::free(bytes_); }

Listpack& Listpack::operator=(Listpack&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

Listpack Listpack::clone() const {
  char* copy = allocate(total_bytes());
  std::memcpy(copy, bytes_, total_bytes());
  return Listpack(copy);
}

Result<Listpack> Listpack::from_bytes(std::string_view bytes) {
  HEARTH_TRY_VOID(validate(bytes));
  char* copy = allocate(bytes.size());
  std::memcpy(copy, bytes.data(), bytes.size());
  return Listpack(copy);
}

Result<void> Listpack::validate(std::string_view bytes) {
  const auto corrupt = [](std::size_t offset, const char* what) {
    return fail(ErrorCode::kCorrupt, fmt::format("listpack, offset {}: {}", offset, what));
  };
  if (bytes.size() < kEmptyBytes || bytes.size() > kBytesMax) return corrupt(0, "impossible size");
  if (load_le<std::uint32_t>(bytes.data()) != bytes.size())
    return corrupt(0, "total does not match");
  const std::size_t end = bytes.size() - 1;
  if (byte_at(bytes.data() + end) != kEndMark) return corrupt(end, "no end mark");
  std::size_t offset = kHeader;
  std::size_t count = 0;
  while (offset < end) {
    const std::size_t room = end - offset;
    const ElementLayout layout = layout_at(bytes.data() + offset, room);
    if (layout.head == 0) return corrupt(offset, "unknown encoding or cut length");
    const std::uint64_t body = layout.size();
    const std::size_t back = back_length_size(body);
    if (body + back > room) return corrupt(offset, "element passes the end");
    char expected[5];
    write_back_length(expected, body);
    if (std::memcmp(expected, bytes.data() + offset + body, back) != 0) {
      return corrupt(offset + body, "back length does not match");
    }
    offset += body + back;
    ++count;
  }
  const auto stated = load_le<std::uint16_t>(bytes.data() + 4);
  if (stated != kCountUnknown && stated != count) return corrupt(4, "count does not match");
  return {};
}

std::size_t Listpack::total_bytes() const { return load_le<std::uint32_t>(bytes_); }

std::size_t Listpack::size() const {
  const auto stated = load_le<std::uint16_t>(bytes_ + 4);
  if (stated != kCountUnknown) return stated;
  std::size_t count = 0;
  for (Position p = first(); p != kEnd; p = next(p)) ++count;
  return count;
}

Listpack::Position Listpack::end_offset() const { return static_cast<Position>(total_bytes() - 1); }

Listpack::Position Listpack::first() const {
  return empty() ? kEnd : static_cast<Position>(kHeader);
}

Listpack::Position Listpack::last() const { return empty() ? kEnd : previous(end_offset()); }

Listpack::Position Listpack::next(Position at) const {
  const auto behind = static_cast<Position>(at + stored_size_at(bytes_ + at));
  return behind == end_offset() ? kEnd : behind;
}

Listpack::Position Listpack::previous(Position at) const {
  if (at == kHeader) return kEnd;
  const std::uint64_t body = read_back_length(bytes_ + at - 1);
  return static_cast<Position>(at - body - back_length_size(body));
}

Listpack::Position Listpack::at(std::int64_t index) const {
  const auto count = static_cast<std::int64_t>(size());
  if (index < 0) index += count;
  if (index < 0 || index >= count) return kEnd;
  Position p = kEnd;
  if (index <= count / 2) {
    p = first();
    for (std::int64_t i = 0; i < index; ++i) p = next(p);
  } else {
    p = last();
    for (std::int64_t i = count - 1; i > index; --i) p = previous(p);
  }
  return p;
}

Element Listpack::get(Position at) const { return element_at(bytes_ + at); }

Listpack::Position Listpack::find(std::string_view text, Position from, unsigned skip) const {
  const ElementMatcher matcher(text);
  const Position end = end_offset();
  unsigned until = 0;
  for (Position p = from; p != kEnd && p != end;) {
    const ElementLayout layout = layout_at(bytes_ + p, 5);
    if (until > 0) {
      --until;
    } else if (matcher.matches(bytes_ + p, layout)) {
      return p;
    } else {
      until = skip;
    }
    p += static_cast<Position>(layout.size() + back_length_size(layout.size()));
  }
  return kEnd;
}

void Listpack::count_one_more() {
  const auto stated = load_le<std::uint16_t>(bytes_ + 4);
  if (stated != kCountUnknown) store_le(bytes_ + 4, static_cast<std::uint16_t>(stated + 1));
}

namespace {

// Makes the gap [at, at + new_size) where [at, at + old_size) was; returns the moved allocation.
char* resize_gap(char* bytes, std::size_t at, std::size_t old_size, std::size_t new_size) {
  const std::size_t total = load_le<std::uint32_t>(bytes);
  const std::size_t new_total = total - old_size + new_size;
  HEARTH_CHECK(new_total <= Listpack::kBytesMax);
  const std::size_t tail = total - at - old_size;
  if (new_size < old_size) std::memmove(bytes + at + new_size, bytes + at + old_size, tail);
  if (new_total != total) {
    bytes = static_cast<char*>(std::realloc(bytes, new_total));
    HEARTH_CHECK(bytes != nullptr);
  }
  if (new_size > old_size) std::memmove(bytes + at + new_size, bytes + at + old_size, tail);
  store_le(bytes, static_cast<std::uint32_t>(new_total));
  return bytes;
}

// Text that points into the listpack itself would move under our feet.
bool points_into(std::string_view text, std::string_view bytes) {
  return std::less_equal<>{}(bytes.data(), text.data()) &&
         std::less<>{}(text.data(), bytes.data() + bytes.size());
}

}  // namespace

Listpack::Position Listpack::insert(Position at, std::string_view text) {
  HEARTH_DCHECK(!points_into(text, bytes()));
  const EncodedElement e = encoded_text(text);
  const Position where = at == kEnd ? end_offset() : at;
  bytes_ = resize_gap(bytes_, where, 0, stored_size(e));
  store(e, bytes_ + where);
  count_one_more();
  return where;
}

Listpack::Position Listpack::insert_number(Position at, std::int64_t number) {
  const EncodedElement e = encoded_number(number);
  const Position where = at == kEnd ? end_offset() : at;
  bytes_ = resize_gap(bytes_, where, 0, stored_size(e));
  store(e, bytes_ + where);
  count_one_more();
  return where;
}

void Listpack::append(std::string_view text) { insert(kEnd, text); }
void Listpack::append_number(std::int64_t number) { insert_number(kEnd, number); }

Listpack::Position Listpack::replace(Position at, std::string_view text) {
  HEARTH_DCHECK(!points_into(text, bytes()));
  const EncodedElement e = encoded_text(text);
  bytes_ = resize_gap(bytes_, at, stored_size_at(bytes_ + at), stored_size(e));
  store(e, bytes_ + at);
  return at;
}

Listpack::Position Listpack::replace_number(Position at, std::int64_t number) {
  const EncodedElement e = encoded_number(number);
  bytes_ = resize_gap(bytes_, at, stored_size_at(bytes_ + at), stored_size(e));
  store(e, bytes_ + at);
  return at;
}

Listpack::Position Listpack::erase(Position at, std::size_t count) {
  std::size_t removed = 0;
  std::size_t size_bytes = 0;
  while (removed < count && at + size_bytes < end_offset()) {
    size_bytes += stored_size_at(bytes_ + at + size_bytes);
    ++removed;
  }
  const std::size_t stated = load_le<std::uint16_t>(bytes_ + 4);
  bytes_ = resize_gap(bytes_, at, size_bytes, 0);
  // An unknown count stays unknown: readers count when they need it.
  if (stated != kCountUnknown) store_le(bytes_ + 4, static_cast<std::uint16_t>(stated - removed));
  return at == end_offset() ? kEnd : at;
}

void Listpack::clear() { *this = Listpack(); }

}  // namespace hearth::ds
