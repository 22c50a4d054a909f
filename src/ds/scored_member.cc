#include "src/ds/scored_member.h"

#include <cstdlib>
#include <cstring>

#include "src/base/check.h"

namespace hearth::ds {

ScoredMember* ScoredMember::make(std::string_view member, double score) {
  auto* bytes = static_cast<char*>(std::malloc(bytes_for(member.size())));
  HEARTH_CHECK(bytes != nullptr);
  store_le(bytes, score);
  char* p = bytes + sizeof(double);
  if (member.size() < kWide) {
    *p++ = static_cast<char>(member.size());
  } else {
    *p++ = static_cast<char>(kWide);
    store_le(p, static_cast<std::uint64_t>(member.size()));
    p += 8;
  }
  member.copy(p, member.size());
  return reinterpret_cast<ScoredMember*>(bytes);
}

void ScoredMember::free(ScoredMember* node) { std::free(node); }

}  // namespace hearth::ds
