#include "src/ds/field_node.h"

#include <cstdlib>
#include <cstring>

#include "src/base/check.h"

namespace hearth::ds {
namespace {

constexpr std::size_t kShortMax = 255;

char* put_length(char* p, std::size_t length) {
  if (length <= kShortMax) {
    *p = static_cast<char>(length);
    return p + 1;
  }
  store_le(p, static_cast<std::uint64_t>(length));
  return p + 8;
}

std::size_t length_width(std::size_t length) { return length <= kShortMax ? 1 : 8; }

}  // namespace

FieldNode* FieldNode::make(std::string_view field, std::string_view value, std::int64_t deadline) {
  const bool timed = deadline != kNoDeadline;
  const std::size_t size = 1 + (timed ? 8 : 0) + length_width(field.size()) +
                           length_width(value.size()) + field.size() + value.size();
  auto* bytes = static_cast<char*>(std::malloc(size));
  HEARTH_CHECK(bytes != nullptr);
  unsigned flags = 0;
  if (timed) flags |= kHasDeadline;
  if (field.size() > kShortMax) flags |= kWideField;
  if (value.size() > kShortMax) flags |= kWideValue;
  *bytes = static_cast<char>(flags);
  char* p = bytes + 1;
  if (timed) {
    store_le(p, deadline);
    p += 8;
  }
  p = put_length(p, field.size());
  p = put_length(p, value.size());
  field.copy(p, field.size());
  value.copy(p + field.size(), value.size());
  return reinterpret_cast<FieldNode*>(bytes);
}

FieldNode* FieldNode::assign(FieldNode* node, std::string_view value, std::int64_t deadline) {
  const bool timed = deadline != kNoDeadline;
  const std::string_view old = node->value();
  if (timed != node->has_deadline() || length_width(value.size()) != node->value_width()) {
    FieldNode* fresh = make(node->field(), value, deadline);
    free(node);
    return fresh;
  }
  auto* bytes = reinterpret_cast<char*>(node);
  const auto value_at = static_cast<std::size_t>(old.data() - bytes);
  const auto length_at = static_cast<std::size_t>(node->lengths() - bytes) + node->field_width();
  if (value.size() != old.size()) {
    // Stays in place when the allocator's size class is the same, as it is for counters.
    bytes = static_cast<char*>(std::realloc(bytes, value_at + value.size()));
    HEARTH_CHECK(bytes != nullptr);
  }
  if (timed) store_le(bytes + 1, deadline);
  put_length(bytes + length_at, value.size());
  value.copy(bytes + value_at, value.size());
  return reinterpret_cast<FieldNode*>(bytes);
}

void FieldNode::free(FieldNode* node) { std::free(node); }

}  // namespace hearth::ds
