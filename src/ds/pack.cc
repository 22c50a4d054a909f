#include "src/ds/pack.h"

#include <cstdlib>
#include <cstring>

#include "src/base/check.h"
#include "src/ds/raw_bytes.h"

namespace hearth::ds {
Pack::Pack() : bytes_(allocate(kHeader)) {
  store_le(bytes_, kHeader);
  store_le(bytes_ + 4, std::uint16_t{0});
}

Pack::~Pack() { std::free(bytes_); }

std::size_t Pack::counted() const {
  std::size_t count = 0;
  for (std::size_t p = kHeader; p < total_bytes(); p += layout_at(bytes_ + p, 5).size()) ++count;
  return count;
}

void Pack::set_count(std::size_t count) {
  store_le(bytes_ + 4, count < kManyElements ? static_cast<std::uint16_t>(count) : kManyElements);
}

Pack Pack::clone() const {
  char* copy = allocate(total_bytes());
  std::memcpy(copy, bytes_, total_bytes());
  return Pack(copy);
}

Pack::Position Pack::at(std::size_t index) const {
  Position p = first();
  for (std::size_t i = 0; i < index; ++i) p = next(p);
  return p;
}

Pack::Position Pack::find(std::string_view text, unsigned skip) const {
  const ElementMatcher matcher(text);
  const char* const end = bytes_ + total_bytes();
  unsigned until = 0;
  for (const char* p = bytes_ + kHeader; p != end;) {
    const ElementLayout layout = layout_at(p, 5);
    if (until > 0) {
      --until;
    } else if (matcher.matches(p, layout)) {
      return static_cast<Position>(p - bytes_);
    } else {
      until = skip;
    }
    p += layout.size();
  }
  return kEnd;
}

// Makes the gap [at, at + new_size) where [at, at + old_size) was.
void Pack::resize_gap(std::size_t at, std::size_t old_size, std::size_t new_size) {
  const std::size_t total = total_bytes();
  const std::size_t new_total = total - old_size + new_size;
  HEARTH_CHECK(new_total <= kBytesMax);
  const std::size_t tail = total - at - old_size;
  if (new_size < old_size) std::memmove(bytes_ + at + new_size, bytes_ + at + old_size, tail);
  if (new_total != total) {
    bytes_ = static_cast<char*>(std::realloc(bytes_, new_total));
    HEARTH_CHECK(bytes_ != nullptr);
  }
  if (new_size > old_size) std::memmove(bytes_ + at + new_size, bytes_ + at + old_size, tail);
  store_le(bytes_, static_cast<std::uint32_t>(new_total));
}

void Pack::append(const EncodedElement& element) {
  const std::size_t at = total_bytes();
  resize_gap(at, 0, element.size());
  element.write(bytes_ + at);
  const std::uint16_t count = load_le<std::uint16_t>(bytes_ + 4);
  if (count != kManyElements) store_le(bytes_ + 4, static_cast<std::uint16_t>(count + 1));
}

void Pack::append(std::string_view text) { append(encoded_text(text)); }
void Pack::append_number(std::int64_t number) { append(encoded_number(number)); }

Pack::Position Pack::replace(Position at, const EncodedElement& element) {
  resize_gap(at, layout_at(bytes_ + at, 5).size(), element.size());
  element.write(bytes_ + at);
  return at;
}

Pack::Position Pack::replace(Position at, std::string_view text) {
  return replace(at, encoded_text(text));
}
Pack::Position Pack::replace_number(Position at, std::int64_t number) {
  return replace(at, encoded_number(number));
}

Pack::Position Pack::erase(Position at, std::size_t count) {
  std::size_t bytes = 0;
  std::size_t removed = 0;
  while (removed < count && at + bytes < total_bytes()) {
    bytes += layout_at(bytes_ + at + bytes, 5).size();
    ++removed;
  }
  const std::size_t left = size() - removed;
  resize_gap(at, bytes, 0);
  set_count(left);
  return at == total_bytes() ? kEnd : at;
}

}  // namespace hearth::ds
