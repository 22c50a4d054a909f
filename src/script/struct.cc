// struct: binary records by a format.
//
//   > < =    big, little, native (little) endian from here on
//   !n       align numbers to at most n bytes, a power of two; without n to 8
//   x        a byte of padding
//   b/B h/H l/L i/In  signed and unsigned integers of 1, 2, 8 and n (4) bytes; T is a size, 8 bytes
//   f d      float and double
//   s        a string that ends with a zero byte
//   cn       n bytes; c0 takes the whole string, or as many bytes as the number before it said
//   blank    nothing
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "src/base/bytes.h"
#include "src/script/modules.h"

namespace hearth::script {
namespace {

constexpr int kIntegerMost = 32;  // bytes of the widest integer
constexpr std::size_t kAlignMost = 8;
constexpr std::size_t kWordBytes = 8;

struct Layout {
  lua_State* L;
  const char* at;  // the next letter
  bool little = true;
  std::size_t align = 1;
};

int count_of(Layout& f, int fallback) {
  if (std::isdigit(static_cast<unsigned char>(*f.at)) == 0) return fallback;
  std::int64_t n = 0;
  for (; std::isdigit(static_cast<unsigned char>(*f.at)) != 0; ++f.at) {
    n = n * 10 + (*f.at - '0');
    if (n > INT32_MAX) luaL_error(f.L, "integral size overflow");
  }
  return static_cast<int>(n);
}

// Bytes that a letter takes; for 's' and "c0" none of them are known.
std::size_t size_of(Layout& f, char letter) {
  switch (letter) {
    case 'B':
    case 'b':
    case 'x': return 1;
    case 'H':
    case 'h': return 2;
    case 'L':
    case 'l':
    case 'T':
    case 'd': return 8;
    case 'f': return 4;
    case 'c': return static_cast<std::size_t>(count_of(f, 1));
    case 'I':
    case 'i': {
      const int n = count_of(f, 4);
      if (n > kIntegerMost)
        luaL_error(f.L, "integral size %d is larger than limit of %d", n, kIntegerMost);
      return static_cast<std::size_t>(n);
    }
    default: return 0;
  }
}

std::size_t padding(const Layout& f, char letter, std::size_t size, std::size_t position) {
  if (size == 0 || letter == 'c' || letter == 'x') return 0;
  const std::size_t to = size < f.align ? size : f.align;
  if (to <= 1) return 0;
  return (to - (position & (to - 1))) & (to - 1);
}

// A letter that changes the layout, or one that is unknown.
void control(Layout& f, char letter) {
  switch (letter) {
    case ' ': return;
    case '>': f.little = false; return;
    case '<':
    case '=': f.little = true; return;
    case '!': {
      const int to = count_of(f, static_cast<int>(kAlignMost));
      if (to <= 0 || (to & (to - 1)) != 0) luaL_error(f.L, "alignment is not a power of 2");
      f.align = static_cast<std::size_t>(to);
      return;
    }
    default: luaL_argerror(f.L, 1, lua_pushfstring(f.L, "invalid format option '%c'", letter));
  }
}

bool is_integer_letter(char c) { return c != '\0' && std::strchr("bBhHlLTiI", c) != nullptr; }

// --- pack ---

void add_integer(luaL_Buffer& out, const Layout& f, double number, std::size_t size) {
  // A number that no integer of a word can hold is 0, as there is no right answer.
  if (!(number > -9.2233720368547758e18 && number < 1.8446744073709550e19)) number = 0;
  const std::uint64_t bits = number < 0
                                 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(number))
                                 : static_cast<std::uint64_t>(number);
  // Wider than a word: the sign goes on.
  const auto fill = static_cast<char>(number < 0 ? 0xff : 0);
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t place = f.little ? i : size - 1 - i;
    luaL_addchar(&out, place < kWordBytes ? static_cast<char>(bits >> (8 * place)) : fill);
  }
}

template <typename Bits>
void add_bits(luaL_Buffer& out, const Layout& f, Bits bits) {
  char bytes[sizeof(Bits)];
  f.little ? store_le(bytes, bits) : store_be(bytes, bits);
  luaL_addlstring(&out, bytes, sizeof bytes);
}

int struct_pack(lua_State* L) {
  Layout f{L, luaL_checkstring(L, 1)};
  int arg = 2;
  std::size_t total = 0;
  lua_pushnil(L);  // marks the end of the arguments: luaL_Buffer keeps its pieces above
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  while (*f.at != '\0') {
    const char letter = *f.at++;
    std::size_t size = size_of(f, letter);
    const std::size_t pad = padding(f, letter, size, total);
    for (std::size_t i = 0; i < pad; ++i) luaL_addchar(&out, '\0');
    total += pad;
    if (is_integer_letter(letter)) {
      add_integer(out, f, luaL_checknumber(L, arg++), size);
    } else if (letter == 'x') {
      luaL_addchar(&out, '\0');
    } else if (letter == 'f') {
      add_bits(out, f,
               std::bit_cast<std::uint32_t>(static_cast<float>(luaL_checknumber(L, arg++))));
    } else if (letter == 'd') {
      add_bits(out, f, std::bit_cast<std::uint64_t>(luaL_checknumber(L, arg++)));
    } else if (letter == 'c' || letter == 's') {
      std::size_t length = 0;
      const char* text = luaL_checklstring(L, arg++, &length);
      if (size == 0) size = length;
      luaL_argcheck(L, length >= size, arg, "string too short");
      luaL_addlstring(&out, text, size);
      if (letter == 's') {
        luaL_addchar(&out, '\0');
        ++size;
      }
    } else {
      control(f, letter);
    }
    total += size;
  }
  luaL_pushresult(&out);
  return 1;
}

// --- unpack ---

double integer_at(const char* data, const Layout& f, std::size_t size, bool is_signed) {
  std::uint64_t bits = 0;
  for (std::size_t i = size < kWordBytes ? size : kWordBytes; i-- > 0;) {
    const std::size_t place = f.little ? i : size - 1 - i;
    bits = (bits << 8) | static_cast<std::uint8_t>(data[place]);
  }
  if (!is_signed) return static_cast<double>(bits);
  if (size > 0 && size < kWordBytes) {
    const auto unused = static_cast<int>(8 * (kWordBytes - size));
    return static_cast<double>(static_cast<std::int64_t>(bits << unused) >> unused);
  }
  return static_cast<double>(static_cast<std::int64_t>(bits));
}

// Pushes what stands at `position`; moves it on by what the value took beyond `size`.
void push_text(Layout& f, char letter, std::string_view data, std::size_t position,
               std::size_t& size, int& results) {
  lua_State* L = f.L;
  if (letter == 's') {
    const std::size_t end = data.find('\0', position);
    if (end == std::string_view::npos) luaL_error(L, "unfinished string in data");
    push(L, data.substr(position, end - position));
    size = end + 1 - position;
    ++results;
    return;
  }
  if (size == 0) {
    if (results == 0 || lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "format 'c0' needs a previous size");
    const double said = lua_tonumber(L, -1);
    lua_pop(L, 1);
    --results;
    luaL_argcheck(L, said >= 0 && said <= static_cast<double>(data.size() - position), 2,
                  "data string too short");
    size = static_cast<std::size_t>(said);
  }
  push(L, data.substr(position, size));
  ++results;
}

int struct_unpack(lua_State* L) {
  Layout f{L, luaL_checkstring(L, 1)};
  std::size_t length = 0;
  const char* bytes = luaL_checklstring(L, 2, &length);
  const std::string_view data(bytes, length);
  const lua_Integer start = luaL_optinteger(L, 3, 1);
  luaL_argcheck(L, start > 0, 3, "offset must be 1 or greater");
  auto position = static_cast<std::size_t>(start - 1);
  int results = 0;
  while (*f.at != '\0') {
    const char letter = *f.at++;
    std::size_t size = size_of(f, letter);
    position += padding(f, letter, size, position);
    luaL_argcheck(L, position <= length && size <= length - position, 2, "data string too short");
    luaL_checkstack(L, 2, "too many results");
    if (is_integer_letter(letter)) {
      const bool is_signed = std::islower(static_cast<unsigned char>(letter)) != 0;
      lua_pushnumber(L, integer_at(bytes + position, f, size, is_signed));
      ++results;
    } else if (letter == 'f') {
      const auto bits = f.little ? load_le<std::uint32_t>(bytes + position)
                                 : load_be<std::uint32_t>(bytes + position);
      lua_pushnumber(L, static_cast<double>(std::bit_cast<float>(bits)));
      ++results;
    } else if (letter == 'd') {
      const auto bits = f.little ? load_le<std::uint64_t>(bytes + position)
                                 : load_be<std::uint64_t>(bytes + position);
      lua_pushnumber(L, std::bit_cast<double>(bits));
      ++results;
    } else if (letter == 'c' || letter == 's') {
      push_text(f, letter, data, position, size, results);
    } else if (letter != 'x') {
      control(f, letter);
    }
    position += size;
  }
  lua_pushinteger(L, static_cast<lua_Integer>(position + 1));
  return results + 1;
}

int size(lua_State* L) {
  Layout f{L, luaL_checkstring(L, 1)};
  std::size_t total = 0;
  while (*f.at != '\0') {
    const char letter = *f.at++;
    const std::size_t bytes = size_of(f, letter);
    total += padding(f, letter, bytes, total);
    if (letter == 's') luaL_argerror(L, 1, "variable-size format for strings");
    if (letter == 'c' && bytes == 0) luaL_argerror(L, 1, "variable-length format");
    if (bytes == 0 && letter != 'c') control(f, letter);
    total += bytes;
  }
  lua_pushinteger(L, static_cast<lua_Integer>(total));
  return 1;
}

}  // namespace

int open_struct(lua_State* L) {
  static const luaL_Reg kFunctions[] = {
      {"pack", struct_pack}, {"unpack", struct_unpack}, {"size", size}, {nullptr, nullptr}};
  lua_newtable(L);
  luaL_register(L, nullptr, kFunctions);
  return 1;
}

}  // namespace hearth::script
