// bit: numbers are taken modulo 2^32 and results are signed, as in the library that scripts know.
#include <bit>
#include <cmath>
#include <cstdint>

#include "src/script/modules.h"

namespace hearth::script {
namespace {

std::uint32_t bits_at(lua_State* L, int index) {
  const double value = luaL_checknumber(L, index);
  // Adding 2^52 + 2^51 rounds to an integer and leaves its low bits at the end of the mantissa.
  constexpr double kAlign = 6755399441055744.0;
  return static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(value + kAlign));
}

int give(lua_State* L, std::uint32_t bits) {
  lua_pushnumber(L, static_cast<std::int32_t>(bits));
  return 1;
}

int tobit(lua_State* L) { return give(L, bits_at(L, 1)); }
int bnot(lua_State* L) { return give(L, ~bits_at(L, 1)); }

template <typename Join>
int fold(lua_State* L, Join join) {
  std::uint32_t bits = bits_at(L, 1);
  for (int i = lua_gettop(L); i > 1; --i) bits = join(bits, bits_at(L, i));
  return give(L, bits);
}
int band(lua_State* L) {
  return fold(L, [](std::uint32_t a, std::uint32_t b) { return a & b; });
}
int bor(lua_State* L) {
  return fold(L, [](std::uint32_t a, std::uint32_t b) { return a | b; });
}
int bxor(lua_State* L) {
  return fold(L, [](std::uint32_t a, std::uint32_t b) { return a ^ b; });
}

template <typename Move>
int shift(lua_State* L, Move move) {
  const std::uint32_t bits = bits_at(L, 1);
  return give(L, move(bits, bits_at(L, 2) & 31U));
}
int lshift(lua_State* L) {
  return shift(L, [](std::uint32_t b, std::uint32_t n) { return b << n; });
}
int rshift(lua_State* L) {
  return shift(L, [](std::uint32_t b, std::uint32_t n) { return b >> n; });
}
int arshift(lua_State* L) {
  return shift(L, [](std::uint32_t b, std::uint32_t n) {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(b) >> n);
  });
}
int rol(lua_State* L) {
  return shift(L,
               [](std::uint32_t b, std::uint32_t n) { return std::rotl(b, static_cast<int>(n)); });
}
int ror(lua_State* L) {
  return shift(L,
               [](std::uint32_t b, std::uint32_t n) { return std::rotr(b, static_cast<int>(n)); });
}
int bswap(lua_State* L) { return give(L, __builtin_bswap32(bits_at(L, 1))); }

// tohex(x [, digits]): 8 digits, or as many as asked for; a negative count asks for upper case.
int tohex(lua_State* L) {
  std::uint32_t bits = bits_at(L, 1);
  auto wanted =
      lua_isnone(L, 2) ? std::int64_t{8} : std::int64_t{static_cast<std::int32_t>(bits_at(L, 2))};
  const char* digits = wanted < 0 ? "0123456789ABCDEF" : "0123456789abcdef";
  if (wanted < 0) wanted = -wanted;
  if (wanted > 8) wanted = 8;
  char text[8];
  for (std::int64_t i = wanted; i-- > 0; bits >>= 4) text[i] = digits[bits & 15U];
  push(L, {text, static_cast<std::size_t>(wanted)});
  return 1;
}

}  // namespace

int open_bit(lua_State* L) {
  static const luaL_Reg kFunctions[] = {
      {"tobit", tobit},   {"bnot", bnot},       {"band", band},    {"bor", bor}, {"bxor", bxor},
      {"lshift", lshift}, {"rshift", rshift},   {"rol", rol},      {"ror", ror}, {"bswap", bswap},
      {"tohex", tohex},   {"arshift", arshift}, {nullptr, nullptr}};
  lua_newtable(L);
  luaL_register(L, nullptr, kFunctions);
  return 1;
}

}  // namespace hearth::script
