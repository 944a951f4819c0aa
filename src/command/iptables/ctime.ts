/** A moment as ctime(3) writes it, in UTC: `Thu Jan  1 00:00:00 1970`. */

const DAY = 86_400_000
const DAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `milliseconds` since 1970. */
export function formatTime(milliseconds: number): string {
  const days = Math.floor(milliseconds / DAY)
  const seconds = Math.floor((milliseconds - days * DAY) / 1000)
  let [year, rest] = [1970, days]
  while (rest >= lengthOfYear(year)) rest -= lengthOfYear(year++)
  let month = 0
  while (rest >= lengthOfMonth(year, month)) rest -= lengthOfMonth(year, month++)
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const time = clock.map((part) => `${part}`.padStart(2, '0')).join(':')
  return `${DAYS[days % 7]} ${MONTHS[month]} ${`${rest + 1}`.padStart(2)} ${time} ${year}`
}

function lengthOfYear(year: number): number {
  return isLeap(year) ? 366 : 365
}

function lengthOfMonth(year: number, month: number): number {
  if (month === 1) return isLeap(year) ? 29 : 28
  return [3, 5, 8, 10].includes(month) ? 30 : 31
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}
