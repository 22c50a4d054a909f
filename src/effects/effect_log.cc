#include "src/effects/effect_log.h"

namespace hearth {

void EffectLog::record(EffectPlace place, std::span<const std::string_view> words) {
  effects_.push_back({place.db, place.slot, {words.begin(), words.end()}, targets_});
}

void EffectLog::record_words(EffectPlace place, std::initializer_list<EffectArg> words) {
  Effect effect{place.db, place.slot, {}, targets_};
  for (EffectArg word : words) effect.argv.push_back(word.take());
  effects_.push_back(std::move(effect));
}

void EffectLog::record_event(Notify kind, std::string_view name, DbIndex db, std::string_view key,
                             bool of_value) {
  events_.push_back({kind, db, name, std::string(key), of_value});
}

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
