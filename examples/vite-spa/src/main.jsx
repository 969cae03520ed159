import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { BrowserRouter, Link, Route, Routes } from 'react-router'
import { Boat } from './pages/Boat.jsx'
import { Home } from './pages/Home.jsx'
import './style.css'

function NotFound() {
  return <p>There is no such page. <Link to="/">Back to the boats</Link></p>
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <BrowserRouter>
      <Routes>
        <Route path="/" element={<Home />} />
        <Route path="/boats/:id" element={<Boat />} />
        <Route path="*" element={<NotFound />} />
      </Routes>
    </BrowserRouter>
  </StrictMode>,
)
