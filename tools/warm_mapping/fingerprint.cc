#include "tools/warm_mapping/fingerprint.h"

#include <bit>

#include "src/base/hash.h"

namespace hearth::warm {
namespace {

// Fixed, so that fingerprints of two runs can be compared.
constexpr std::uint64_t kTextSeed = 0x77656967687473ULL;

}  // namespace

void Fingerprint::add(std::string_view text) {
  if (kind_ == ValueKind::kList) {
    sum_ = hash_bytes(text, sum_ ^ kTextSeed);
  } else {
    sum_ += hash_bytes(text, kTextSeed);
  }
}

void Fingerprint::add_field(std::string_view name, std::string_view value) {
  sum_ += hash_bytes(value, hash_bytes(name, kTextSeed));
}

void Fingerprint::add_member(std::string_view member, double score) {
  sum_ += hash_bytes(member, std::bit_cast<std::uint64_t>(score == 0 ? 0.0 : score) ^ kTextSeed);
}

}  // namespace hearth::warm
