#include "src/engine/key_sizes.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "src/command/services.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/stream.h"
#include "src/store/zset.h"

namespace hearth {
namespace {

std::uint64_t size_of(const Entry& e) {
  switch (e.type()) {
    case Type::kString: return e.string_length();
    case Type::kList: return ListView(e).size();
    case Type::kSet: return e.set()->size();
    case Type::kZset: return e.zset()->size();
    case Type::kHash: return e.hash()->size();
    case Type::kStream: return e.stream()->length();
  }
  return 0;
}

// 2^power as 512, 1K, 64M.
std::string power_text(std::size_t power) {
  static constexpr const char* kUnits[] = {"", "K", "M", "G", "T", "P", "E"};
  return std::to_string(1ULL << (power % 10)) + kUnits[power / 10];
}

}  // namespace

void KeySizes::add(const Entry& entry) {
  ++counts_[static_cast<std::size_t>(entry.type())][std::bit_width(size_of(entry))];
}

void KeySizes::scale(std::uint64_t all, std::uint64_t looked_at) {
  const double factor = static_cast<double>(all) / static_cast<double>(looked_at);
  for (auto& of_type : counts_) {
    for (std::uint64_t& n : of_type) {
      if (n > 0)
        n = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(n) * factor));
    }
  }
}

void KeySizes::write(const std::string& prefix, InfoWriter& out) const {
  static constexpr std::pair<Type, const char*> kFields[] = {
      {Type::kString, "strings_sizes"}, {Type::kList, "lists_items"},
      {Type::kSet, "sets_items"},       {Type::kZset, "zsets_items"},
      {Type::kHash, "hashes_items"},    {Type::kStream, "streams_items"}};
  for (const auto& [type, name] : kFields) {
    std::string text;
    const auto& of_type = counts_[static_cast<std::size_t>(type)];
    for (std::size_t width = 0; width < of_type.size(); ++width) {
      if (of_type[width] == 0) continue;
      if (!text.empty()) text += ',';
      text += (width == 0 ? "0" : power_text(width - 1)) + "=" + std::to_string(of_type[width]);
    }
    if (!text.empty()) out.field(prefix + name, text);
  }
}

}  // namespace hearth
