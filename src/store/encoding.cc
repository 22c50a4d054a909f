#include "src/store/encoding.h"

#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/zset.h"

namespace hearth {

std::string_view encoding_name(const Entry& entry) noexcept {
  if (entry.type() == Type::kStream) return "stream";
  if (entry.type() == Type::kHash) return encoding_name(entry.hash()->encoding());
  if (entry.type() == Type::kSet) return encoding_name(entry.set()->encoding());
  if (entry.type() == Type::kList) return encoding_name(ListView(entry).encoding());
  if (entry.type() == Type::kZset) return encoding_name(entry.zset()->encoding());
  switch (entry.string_encoding()) {
    case StringEncoding::kInt: return "int";
    case StringEncoding::kEmbstr: return "embstr";
    case StringEncoding::kRaw: return "raw";
  }
  return "unknown";
}

}  // namespace hearth
