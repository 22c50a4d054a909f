// cmsgpack: Lua values as MessagePack.
//
// The bytes being made stand in a std::string that a Lua userdata owns, so that an error raised in
// the middle loses nothing.
#include <cmath>
#include <cstdint>
#include <new>
#include <string>

#include "src/base/bytes.h"
#include "src/script/modules.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

constexpr int kMsgpackDepthMost = 16;
// A table that many others hold is written once for each: what is made must have an end.
constexpr std::size_t kPackedBytesMost = std::size_t{512} << 20;
constexpr std::size_t kStepsPerValue = 8;
constexpr const char* kBufferType = "hearth.msgpack";

// --- packing ---

// One byte of kind, then the number, big endian.
template <typename T>
void put(std::string& out, std::uint8_t kind, T value) {
  ByteWriter w(out);
  w.be(kind);
  w.be(value);
}
void put_byte(std::string& out, unsigned byte) { out += static_cast<char>(byte); }

void pack_integer(std::string& out, std::int64_t v) {
  const auto u = static_cast<std::uint64_t>(v);
  if (v >= 0) {
    if (u <= 0x7f)
      put_byte(out, static_cast<unsigned>(u));
    else if (u <= 0xff)
      put(out, 0xcc, static_cast<std::uint8_t>(u));
    else if (u <= 0xffff)
      put(out, 0xcd, static_cast<std::uint16_t>(u));
    else if (u <= 0xffffffffULL)
      put(out, 0xce, static_cast<std::uint32_t>(u));
    else
      put(out, 0xcf, u);
  } else if (v >= -32) {
    put_byte(out, static_cast<unsigned>(u & 0xff));
  } else if (v >= INT8_MIN) {
    put(out, 0xd0, static_cast<std::uint8_t>(u));
  } else if (v >= INT16_MIN) {
    put(out, 0xd1, static_cast<std::uint16_t>(u));
  } else if (v >= INT32_MIN) {
    put(out, 0xd2, static_cast<std::uint32_t>(u));
  } else {
    put(out, 0xd3, u);
  }
}

void pack_number(std::string& out, double v) {
  constexpr double kIntegerMost = 9223372036854775808.0;
  if (std::floor(v) == v && v >= -kIntegerMost && v < kIntegerMost)
    return pack_integer(out, static_cast<std::int64_t>(v));
  const auto narrow = static_cast<float>(v);
  if (static_cast<double>(narrow) == v)
    put(out, 0xca, std::bit_cast<std::uint32_t>(narrow));
  else
    put(out, 0xcb, std::bit_cast<std::uint64_t>(v));
}

void pack_string(std::string& out, std::string_view text) {
  const std::size_t n = text.size();
  if (n < 32)
    put_byte(out, 0xa0U | static_cast<unsigned>(n));
  else if (n <= 0xff)
    put(out, 0xd9, static_cast<std::uint8_t>(n));
  else if (n <= 0xffff)
    put(out, 0xda, static_cast<std::uint16_t>(n));
  else
    put(out, 0xdb, static_cast<std::uint32_t>(n));
  out += text;
}

// kinds: of up to 15 elements (with the count in its low bits), of 16 and of 32 bits.
void pack_count(std::string& out, std::size_t n, unsigned small, std::uint8_t wide16,
                std::uint8_t wide32) {
  if (n <= 15)
    put_byte(out, small | static_cast<unsigned>(n));
  else if (n <= 0xffff)
    put(out, wide16, static_cast<std::uint16_t>(n));
  else
    put(out, wide32, static_cast<std::uint32_t>(n));
}

// Are the keys of the table on top exactly 1 .. n? Fills in how many there are.
bool is_array(lua_State* L, std::size_t& count) {
  std::size_t most = 0;
  bool integers = true;
  count = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    ++count;
    Vm::spend(L, kStepsPerValue);
    if (!integers) continue;
    const double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    integers = key >= 1 && key <= 4294967295.0 && std::floor(key) == key;
    if (integers && static_cast<std::size_t>(key) > most) most = static_cast<std::size_t>(key);
  }
  return integers && most == count;
}

// Packs the value on top and leaves it there.
void pack_value(lua_State* L, std::string& out, int depth) {
  luaL_checkstack(L, 4, "in function pack");
  Vm::spend(L, kStepsPerValue);
  if (out.size() > kPackedBytesMost) luaL_error(L, "the packed text would be too long");
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: return pack_string(out, text_at(L, -1));
    case LUA_TBOOLEAN: return put_byte(out, lua_toboolean(L, -1) != 0 ? 0xc3 : 0xc2);
    case LUA_TNUMBER: return pack_number(out, lua_tonumber(L, -1));
    case LUA_TTABLE: break;
    default: return put_byte(out, 0xc0);
  }
  if (depth == kMsgpackDepthMost) return put_byte(out, 0xc0);
  std::size_t count = 0;
  if (is_array(L, count)) {
    pack_count(out, count, 0x90, 0xdc, 0xdd);
    for (std::size_t i = 1; i <= count; ++i) {
      lua_rawgeti(L, -1, static_cast<int>(i));
      pack_value(L, out, depth + 1);
      lua_pop(L, 1);
    }
    return;
  }
  pack_count(out, count, 0x80, 0xde, 0xdf);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    pack_value(L, out, depth + 1);
    lua_pop(L, 1);
    pack_value(L, out, depth + 1);
  }
}

int msgpack_pack(lua_State* L) {
  const int count = lua_gettop(L);
  if (count == 0) return luaL_argerror(L, 0, "MessagePack pack needs input.");
  auto* out = new (lua_newuserdata(L, sizeof(std::string))) std::string();
  luaL_getmetatable(L, kBufferType);
  lua_setmetatable(L, -2);
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(L, i);
    pack_value(L, *out, 0);
    lua_pop(L, 1);
  }
  push(L, *out);
  return 1;
}

int free_buffer(lua_State* L) {
  static_cast<std::string*>(lua_touserdata(L, 1))->~basic_string();
  return 0;
}

// --- unpacking ---

enum class Status : std::uint8_t { kOk, kShort, kBad };

Status unpack_value(lua_State* L, ByteReader& in);

template <typename T>
Status push_number(lua_State* L, ByteReader& in) {
  T value{};
  if constexpr (std::is_same_v<T, float>) {
    std::uint32_t bits = 0;
    if (!in.be(bits)) return Status::kShort;
    value = std::bit_cast<float>(bits);
  } else if constexpr (std::is_same_v<T, double>) {
    std::uint64_t bits = 0;
    if (!in.be(bits)) return Status::kShort;
    value = std::bit_cast<double>(bits);
  } else {
    if (!in.be(value)) return Status::kShort;
  }
  lua_pushnumber(L, static_cast<double>(value));
  return Status::kOk;
}

Status push_bytes(lua_State* L, ByteReader& in, std::size_t length) {
  std::string_view bytes;
  if (!in.take(length, bytes)) return Status::kShort;
  push(L, bytes);
  return Status::kOk;
}
template <typename Length>
Status push_counted_bytes(lua_State* L, ByteReader& in) {
  Length length = 0;
  return in.be(length) ? push_bytes(L, in, length) : Status::kShort;
}

Status push_array(lua_State* L, ByteReader& in, std::size_t count) {
  lua_newtable(L);
  luaL_checkstack(L, 2, "in function unpack");
  for (std::size_t i = 1; i <= count; ++i) {
    if (const Status s = unpack_value(L, in); s != Status::kOk) return s;
    lua_rawseti(L, -2, static_cast<int>(i));
  }
  return Status::kOk;
}

Status push_map(lua_State* L, ByteReader& in, std::size_t count) {
  lua_newtable(L);
  luaL_checkstack(L, 3, "in function unpack");
  for (std::size_t i = 0; i < count; ++i) {
    if (const Status s = unpack_value(L, in); s != Status::kOk) return s;
    const bool no_key =
        lua_isnil(L, -1) || (lua_type(L, -1) == LUA_TNUMBER && std::isnan(lua_tonumber(L, -1)));
    if (no_key) return Status::kBad;
    if (const Status s = unpack_value(L, in); s != Status::kOk) return s;
    lua_rawset(L, -3);
  }
  return Status::kOk;
}
template <typename Count>
Status push_counted(lua_State* L, ByteReader& in,
                    Status (*read)(lua_State*, ByteReader&, std::size_t)) {
  Count count = 0;
  return in.be(count) ? read(L, in, count) : Status::kShort;
}

Status unpack_value(lua_State* L, ByteReader& in) {
  luaL_checkstack(L, 2, "in function unpack");
  Vm::spend(L, kStepsPerValue);
  std::uint8_t kind = 0;
  if (!in.be(kind)) return Status::kShort;
  if (kind <= 0x7f || kind >= 0xe0) {
    lua_pushnumber(L, static_cast<std::int8_t>(kind));
    return Status::kOk;
  }
  if (kind >= 0xa0 && kind <= 0xbf) return push_bytes(L, in, kind & 31U);
  if (kind >= 0x90 && kind <= 0x9f) return push_array(L, in, kind & 15U);
  if (kind >= 0x80 && kind <= 0x8f) return push_map(L, in, kind & 15U);
  switch (kind) {
    case 0xc0: lua_pushnil(L); return Status::kOk;
    case 0xc2: lua_pushboolean(L, 0); return Status::kOk;
    case 0xc3: lua_pushboolean(L, 1); return Status::kOk;
    case 0xca: return push_number<float>(L, in);
    case 0xcb: return push_number<double>(L, in);
    case 0xcc: return push_number<std::uint8_t>(L, in);
    case 0xcd: return push_number<std::uint16_t>(L, in);
    case 0xce: return push_number<std::uint32_t>(L, in);
    case 0xcf: return push_number<std::uint64_t>(L, in);
    case 0xd0: return push_number<std::int8_t>(L, in);
    case 0xd1: return push_number<std::int16_t>(L, in);
    case 0xd2: return push_number<std::int32_t>(L, in);
    case 0xd3: return push_number<std::int64_t>(L, in);
    case 0xc4:
    case 0xd9: return push_counted_bytes<std::uint8_t>(L, in);
    case 0xc5:
    case 0xda: return push_counted_bytes<std::uint16_t>(L, in);
    case 0xc6:
    case 0xdb: return push_counted_bytes<std::uint32_t>(L, in);
    case 0xdc: return push_counted<std::uint16_t>(L, in, push_array);
    case 0xdd: return push_counted<std::uint32_t>(L, in, push_array);
    case 0xde: return push_counted<std::uint16_t>(L, in, push_map);
    case 0xdf: return push_counted<std::uint32_t>(L, in, push_map);
    default: return Status::kBad;
  }
}

// limit 0: all values. With one, the first result is where the next value starts, or -1 behind the
// last one.
int unpack_some(lua_State* L, int limit, int offset, bool tells_offset) {
  luaL_checktype(L, 1, LUA_TSTRING);
  const std::string_view bytes = text_at(L, 1);
  if (offset < 0 || limit < 0) {
    return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", offset,
                      limit);
  }
  if (static_cast<std::size_t>(offset) > bytes.size()) {
    return luaL_error(L, "Start offset %d greater than input length %d.", offset,
                      static_cast<int>(bytes.size()));
  }
  lua_settop(L, 1);
  if (tells_offset) lua_pushnil(L);
  ByteReader in(bytes.substr(static_cast<std::size_t>(offset)));
  int count = 0;
  for (; in.remaining() > 0 && (limit == 0 || count < limit); ++count) {
    const Status status = unpack_value(L, in);
    if (status == Status::kShort) return luaL_error(L, "Missing bytes in input.");
    if (status == Status::kBad) return luaL_error(L, "Bad data format in input.");
  }
  if (tells_offset) {
    const double next = in.remaining() == 0 ? -1 : offset + static_cast<double>(in.offset());
    lua_pushnumber(L, next);
    lua_replace(L, 2);
    ++count;
  }
  return count;
}

int msgpack_unpack(lua_State* L) { return unpack_some(L, 0, 0, false); }
int unpack_one(lua_State* L) {
  return unpack_some(L, 1, static_cast<int>(luaL_optinteger(L, 2, 0)), true);
}
int unpack_limit(lua_State* L) {
  const auto limit = static_cast<int>(luaL_checkinteger(L, 2));
  return unpack_some(L, limit, static_cast<int>(luaL_optinteger(L, 3, 0)), true);
}

}  // namespace

int open_msgpack(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"pack", msgpack_pack},
                                        {"unpack", msgpack_unpack},
                                        {"unpack_one", unpack_one},
                                        {"unpack_limit", unpack_limit},
                                        {nullptr, nullptr}};
  luaL_newmetatable(L, kBufferType);
  lua_pushcfunction(L, free_buffer);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  lua_newtable(L);
  luaL_register(L, nullptr, kFunctions);
  push(L, "cmsgpack");
  lua_setfield(L, -2, "_NAME");
  return 1;
}

}  // namespace hearth::script
