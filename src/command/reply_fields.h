// The fields of a map in a reply: a name and its value.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/proto/reply_writer.h"

namespace hearth {

inline void write_text(ReplyWriter& reply, std::string_view name, std::string_view value) {
  reply.bulk(name);
  reply.bulk(value);
}

inline void write_number(ReplyWriter& reply, std::string_view name, std::int64_t value) {
  reply.bulk(name);
  reply.integer(value);
}

}  // namespace hearth
