#include "src/effects/effect_log.h"

namespace hearth {

std::uint32_t notify_flags(std::string_view letters) {
  constexpr auto bit = [](Notify n) { return static_cast<std::uint32_t>(n); };
  std::uint32_t flags = 0;
  for (const char c : letters) {
    switch (c) {
      case 'K': flags |= bit(Notify::kKeyspace); break;
      case 'E': flags |= bit(Notify::kKeyevent); break;
      case 'g': flags |= bit(Notify::kGeneric); break;
      case '$': flags |= bit(Notify::kString); break;
      case 'l': flags |= bit(Notify::kList); break;
      case 's': flags |= bit(Notify::kSet); break;
      case 'h': flags |= bit(Notify::kHash); break;
      case 'z': flags |= bit(Notify::kZset); break;
      case 'x': flags |= bit(Notify::kExpired); break;
      case 'e': flags |= bit(Notify::kEvicted); break;
      case 't': flags |= bit(Notify::kStream); break;
      case 'm': flags |= bit(Notify::kMiss); break;
      case 'd': flags |= bit(Notify::kModule); break;
      case 'n': flags |= bit(Notify::kNew); break;
      case 'A': flags |= notify_flags("g$lshzxetd"); break;
      default: break;
    }
  }
  return flags;
}

}  // namespace hearth
