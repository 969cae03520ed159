export const boats = [
  { id: '1', name: 'Gannet', seats: 4 },
  { id: '2', name: 'Turnstone', seats: 2 },
  { id: '3', name: 'Old Margaret', seats: 8 },
]
